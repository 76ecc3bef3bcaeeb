package main

import (
	"fmt"
	"time"

	"io.homeostat/benchmarks/widget"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var began = metav1.NewTime(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))

// pod is one of a Deployment: two containers with probes and settings, volumes, tolerations, affinity.
func pod(i int) *corev1.Pod {
	app := fmt.Sprintf("app-%d", i/25)
	yes := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:         fmt.Sprintf("%s-%010x-%05d", app, hash(i/25)&0xffffffffff, i),
			Namespace:    namespace(i),
			GenerateName: fmt.Sprintf("%s-%010x-", app, hash(i/25)&0xffffffffff),
			Labels:       labels(i),
			Annotations: map[string]string{
				"checksum/config":      fmt.Sprintf("%016x%016x%016x%016x", hash(i), hash(i+1), hash(i+2), hash(i+3)),
				"example.com/about":    about(i),
				"prometheus.io/scrape": "true",
				"prometheus.io/port":   "9090",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("%s-%010x", app, hash(i/25)&0xffffffffff),
				UID: types.UID(uid(i / 25)), Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			NodeName:   fmt.Sprintf("node-%d", i%100),
			Containers: []corev1.Container{container("main", app, 8080, i), container("sidecar", "proxy", 15090, i)},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: app + "-config"}}}},
				{Name: "token", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: app + "-token"}}},
			},
			Tolerations: []corev1.Toleration{{Key: "example.com/dedicated", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
			Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
					Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "kubernetes.io/hostname",
						LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
				}}}},
		},
	}
}

func container(name, image string, port int32, i int) corev1.Container {
	var env []corev1.EnvVar
	for e := range 10 {
		env = append(env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%02d", e), Value: setting(e, i)})
	}
	env = append(env, corev1.EnvVar{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}})
	no := false
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{PeriodSeconds: 10, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port)}}}
	}
	return corev1.Container{
		Name: name, Image: fmt.Sprintf("registry.example.com/%s:1.%d.0", image, i/25), Args: []string{"--verbose", "--port=" + fmt.Sprint(port)},
		Env: env, Ports: []corev1.ContainerPort{{Name: "http-" + name, ContainerPort: port}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		LivenessProbe: probe("/live"), ReadinessProbe: probe("/ready"), StartupProbe: probe("/started"),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "config", MountPath: "/etc/config", ReadOnly: true},
			{Name: "token", MountPath: "/var/run/secrets/token", ReadOnly: true}},
	}
}

func podStatus(i int) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: fmt.Sprintf("10.0.0.%d", i%100+1), PodIP: address(i),
		HostIPs: []corev1.HostIP{{IP: fmt.Sprintf("10.0.0.%d", i%100+1)}}, PodIPs: []corev1.PodIP{{IP: address(i)}},
		StartTime: &began, QOSClass: corev1.PodQOSBurstable,
	}
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: began})
	}
	for c, name := range []string{"main", "sidecar"} {
		started := true
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, Ready: true, Started: &started, Image: fmt.Sprintf("registry.example.com/%s:1.%d.0", name, i/25),
			ImageID:     fmt.Sprintf("registry.example.com/%s@sha256:%016x%016x%016x%016x", name, hash(i/25), hash(c), hash(7), hash(9)),
			ContainerID: fmt.Sprintf("containerd://%016x%016x%016x%016x", hash(i), hash(i+c), hash(i*3), hash(i*5+c)),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}},
		})
	}
	return status
}

func setting(e, i int) string {
	return fmt.Sprintf("value-%d-of-%d, as the people of team-%02d want it", e, i, i%40)
}

func about(i int) string {
	return fmt.Sprintf("Number %d of the objects of a comparison. It is as large as such objects are in life: what people write into annotations, "+
		"checksums, notes of tools and of teams (this one belongs to team-%02d), comes on top of what the API asks for, and every client pays for it.", i, i%40)
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", 1+i/62500, i/250%250, i%250+1) }

func uid(i int) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", hash(i)&0xffffffff, hash(i)>>48, hash(i+1)&0xfff, hash(i+2)&0xfff, hash(i+3)&0xffffffffffff)
}

func widgetOf(i int) *widget.Widget {
	app := fmt.Sprintf("app-%d", i/25)
	one := &widget.Widget{
		TypeMeta: metav1.TypeMeta{APIVersion: widget.GroupVersion.String(), Kind: "Widget"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("widget-%06d", i), Namespace: namespace(i), Labels: labels(i),
			Annotations: map[string]string{"checksum/config": fmt.Sprintf("%016x%016x", hash(i), hash(i+1)), "example.com/about": about(i)}},
		Spec: widget.Spec{
			Replicas: 1 + i%5, Image: fmt.Sprintf("registry.example.com/%s:1.%d.0", app, i), Colour: []string{"red", "green", "blue"}[i%3],
			Args: []string{"--verbose", "--port=8080", fmt.Sprintf("--number=%d", i)}, Selector: map[string]string{"app": app, "tier": "backend"},
			Ports: []widget.Port{{Name: "http", Port: 8080, Protocol: "TCP"}, {Name: "metrics", Port: 9090, Protocol: "TCP"}},
		},
	}
	for e := range 10 {
		one.Spec.Env = append(one.Spec.Env, widget.Variable{Name: fmt.Sprintf("SETTING_%02d", e), Value: setting(e, i)})
	}
	return one
}

func widgetStatus(i int) widget.Status {
	status := widget.Status{Phase: "Running", ReadyReplicas: 1 + i%5, ObservedGeneration: 1}
	for _, kind := range []string{"Ready", "Progressing", "Available", "Reconciled"} {
		status.Conditions = append(status.Conditions, widget.Condition{Type: kind, Status: "True", Reason: "AsAsked",
			Message: fmt.Sprintf("All %d replicas of widget %d are there and answer", 1+i%5, i), LastTransitionTime: began.UTC().Format(time.RFC3339)})
	}
	return status
}
