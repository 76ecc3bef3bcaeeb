// Package widget is the custom resource of the benchmarks: its Go types and its definition.
package widget

import (
	_ "embed"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is where it lives.
var GroupVersion = schema.GroupVersion{Group: "bench.homeostat.io", Version: "v1"}

// Definition is the CustomResourceDefinition as JSON.
//
//go:embed definition.json
var Definition []byte

type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type Port struct {
	Name     string `json:"name"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

type Spec struct {
	Replicas int               `json:"replicas"`
	Image    string            `json:"image"`
	Colour   string            `json:"colour"`
	Args     []string          `json:"args,omitempty"`
	Env      []Variable        `json:"env,omitempty"`
	Ports    []Port            `json:"ports,omitempty"`
	Selector map[string]string `json:"selector,omitempty"`
}

type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
	LastTransitionTime string `json:"lastTransitionTime"`
}

type Status struct {
	Phase              string      `json:"phase,omitempty"`
	ReadyReplicas      int         `json:"readyReplicas,omitempty"`
	ObservedGeneration int64       `json:"observedGeneration,omitempty"`
	Conditions         []Condition `json:"conditions,omitempty"`
}

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec,omitempty"`
	Status Status `json:"status,omitempty"`
}

type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Widget `json:"items"`
}

func (w *Widget) DeepCopy() *Widget {
	out := *w
	w.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Args = slices.Clone(w.Spec.Args)
	out.Spec.Env = slices.Clone(w.Spec.Env)
	out.Spec.Ports = slices.Clone(w.Spec.Ports)
	out.Spec.Selector = maps.Clone(w.Spec.Selector)
	out.Status.Conditions = slices.Clone(w.Status.Conditions)
	return &out
}

func (w *Widget) DeepCopyObject() runtime.Object { return w.DeepCopy() }

func (l *WidgetList) DeepCopyObject() runtime.Object {
	out := *l
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Widget, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopy()
	}
	return &out
}

// AddToScheme makes the types known.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Widget{}, &WidgetList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
