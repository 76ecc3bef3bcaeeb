// The informer of client-go. Pods travel as protobuf, which is its default, or with the variant json as JSON, which is what all other
// kinds travel as.
package main

import (
	"context"

	"io.homeostat/benchmarks/contract"
	"io.homeostat/benchmarks/widget"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() { contract.Serve(follow) }

func follow(ctx context.Context, settings contract.Settings, counts *contract.Counts) error {
	config, err := clientcmd.BuildConfigFromFlags("", settings.Kubeconfig)
	if err != nil {
		return err
	}
	if settings.Variant == "json" {
		config.ContentType = runtime.ContentTypeJSON
		config.AcceptContentTypes = runtime.ContentTypeJSON
	}
	informer, err := informerOf(config, settings)
	if err != nil {
		return err
	}
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(added any) {
			_ = added.(metav1.Object).GetLabels()[contract.Stamp]
			counts.Added()
		},
		UpdateFunc: func(_, after any) { counts.Updated(after.(metav1.Object).GetLabels()[contract.Stamp]) },
	})
	if err != nil {
		return err
	}
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), handle.HasSynced) {
			counts.Complete()
		}
	}()
	informer.RunWithContext(ctx)
	return nil
}

func informerOf(config *rest.Config, settings contract.Settings) (cache.SharedIndexInformer, error) {
	if settings.Resource == "pods" {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		return informers.NewSharedInformerFactory(client, 0).Core().V1().Pods().Informer(), nil
	}
	scheme := runtime.NewScheme()
	if err := widget.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config.APIPath = "/apis"
	config.GroupVersion = &widget.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	watcher := cache.NewListWatchFromClient(client, "widgets", corev1.NamespaceAll, fields.Everything())
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(watcher, client), &widget.Widget{}, 0, cache.Indexers{}), nil
}
