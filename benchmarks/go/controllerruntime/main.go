// A controller of controller-runtime whose reconciler reads the object from the cache and does nothing.
package main

import (
	"context"

	"github.com/go-logr/logr"
	"io.homeostat/benchmarks/contract"
	"io.homeostat/benchmarks/widget"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	contract.Serve(follow)
}

func follow(ctx context.Context, settings contract.Settings, counts *contract.Counts) error {
	counts.Reconciling = true
	rest, err := clientcmd.BuildConfigFromFlags("", settings.Kubeconfig)
	if err != nil {
		return err
	}
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		return err
	}
	if err := widget.AddToScheme(known); err != nil {
		return err
	}
	again := true // a process makes several managers, one after the other
	manager, err := ctrl.NewManager(rest, ctrl.Options{
		Scheme:     known,
		Metrics:    server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &again},
	})
	if err != nil {
		return err
	}
	fresh := func() client.Object { return &widget.Widget{} }
	if settings.Resource == "pods" {
		fresh = func() client.Object { return &corev1.Pod{} }
	}
	counting := predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return true },
		UpdateFunc: func(change event.UpdateEvent) bool {
			counts.Updated(change.ObjectNew.GetLabels()[contract.Stamp])
			return true
		},
	}
	err = ctrl.NewControllerManagedBy(manager).
		Named("benchmark").
		For(fresh(), builder.WithPredicates(counting)).
		Complete(reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
			object := fresh()
			if err := manager.GetClient().Get(ctx, request.NamespacedName, object); err != nil {
				return reconcile.Result{}, err
			}
			if counts.Reconciled(object.GetLabels()[contract.Stamp]) {
				return reconcile.Result{RequeueAfter: 1}, nil // a nanosecond: zero is no wish, and the wish without a time is rate-limited
			}
			return reconcile.Result{}, nil
		}))
	if err != nil {
		return err
	}
	go func() {
		if manager.GetCache().WaitForCacheSync(ctx) {
			counts.Complete()
		}
	}()
	return manager.Start(ctx)
}
