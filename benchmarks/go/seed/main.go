// Seed makes the objects of a comparison in a real API server, and then changes them straight in etcd.
//
//	seed KUBECONFIG RESOURCE COUNT ETCD
//
// It makes the objects, each written by two managers as in life, says "seeded", and then serves lines: "storm EVENTS RATE" changes that
// many objects in turn, RATE a second (0: as fast as etcd takes them), and says "stormed". What is changed is a stamp of fixed length
// inside the stored bytes, whatever their encoding: so that the server has little to do, and is not what is measured.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	etcd "go.etcd.io/etcd/client/v3"
	"io.homeostat/benchmarks/contract"
	"io.homeostat/benchmarks/widget"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	namespaces = 50
	inFlight   = 8
	page       = 500
	noStamp    = "t0000000000000000"
)

var stamp = regexp.MustCompile(`t[0-9]{16}`)

func main() {
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	config.QPS = -1
	ctx := context.Background()
	client, err := kubernetes.NewForConfig(config)
	must(err)
	for i := range namespaces {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(i)}}
		if _, err := client.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); !errors.IsAlreadyExists(err) {
			must(err)
		}
	}
	prefix := "/registry/pods/"
	if os.Args[2] == "pods" {
		each(count, func(i int) { seedPod(ctx, client, i) })
	} else {
		prefix = "/registry/" + widget.GroupVersion.Group + "/widgets/"
		widgets := widgetClient(ctx, client, config)
		each(count, func(i int) { seedWidget(ctx, widgets, i) })
	}
	fmt.Println("seeded")

	store, err := etcd.New(etcd.Config{Endpoints: []string{os.Args[4]}, DialTimeout: 10 * time.Second})
	must(err)
	defer store.Close()
	kept := load(ctx, store, prefix)
	fmt.Println("loaded", len(kept))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		events, err := strconv.Atoi(words[1])
		must(err)
		rate, err := strconv.Atoi(words[2])
		must(err)
		storm(ctx, store, kept, events, rate)
		fmt.Println("stormed")
	}
}

func namespace(i int) string { return fmt.Sprintf("bench-%02d", i%namespaces) }

// each runs a body for every number, several at a time.
func each(count int, body func(i int)) {
	var all sync.WaitGroup
	numbers := make(chan int)
	for range inFlight {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range numbers {
				body(i)
			}
		}()
	}
	for i := range count {
		numbers <- i
		if i%1000 == 999 {
			fmt.Fprintln(os.Stderr, "seed:", i+1, "of", count)
		}
	}
	close(numbers)
	all.Wait()
}

// ---- changes

type stored struct {
	key   string
	value []byte
	at    int // where the stamp begins
}

// load reads what etcd has, in an order that is no order, the same each time.
func load(ctx context.Context, store *etcd.Client, prefix string) []stored {
	var all []stored
	for from, end := prefix, etcd.GetPrefixRangeEnd(prefix); ; {
		answer, err := store.Get(ctx, from, etcd.WithRange(end), etcd.WithLimit(page))
		must(err)
		for _, kv := range answer.Kvs {
			place := stamp.FindIndex(kv.Value)
			if place == nil {
				panic("no stamp in " + string(kv.Key))
			}
			all = append(all, stored{string(kv.Key), bytes.Clone(kv.Value), place[0]})
		}
		if !answer.More {
			break
		}
		from = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// storm changes objects in turn; the pace is that of a clock, however long a write takes.
func storm(ctx context.Context, store *etcd.Client, kept []stored, events, rate int) {
	// What earlier storms wrote makes room for this one: every client has been told of it, and etcd has a quota.
	latest, err := store.Get(ctx, kept[0].key)
	must(err)
	if _, err = store.Compact(ctx, latest.Header.Revision); err != rpctypes.ErrCompacted {
		must(err)
	}
	var all sync.WaitGroup
	room := make(chan struct{}, inFlight)
	began := time.Now()
	for i := range events {
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		}
		one := &kept[i%len(kept)]
		room <- struct{}{}
		all.Add(1)
		copy(one.value[one.at:], fmt.Sprintf("t%016d", time.Now().UnixMicro()))
		value := string(one.value)
		go func() {
			defer all.Done()
			_, err := store.Put(ctx, one.key, value)
			must(err)
			<-room
		}()
	}
	all.Wait()
}

// ---- Pods: a controller makes them, a node's agent reports

func seedPod(ctx context.Context, client kubernetes.Interface, i int) {
	made, err := client.CoreV1().Pods(namespace(i)).Create(ctx, pod(i), metav1.CreateOptions{FieldManager: "kube-controller-manager"})
	must(err)
	made.Status = podStatus(i)
	_, err = client.CoreV1().Pods(namespace(i)).UpdateStatus(ctx, made, metav1.UpdateOptions{FieldManager: "kubelet"})
	must(err)
}

// ---- Widgets: a person makes them, an operator reports

func widgetClient(ctx context.Context, client kubernetes.Interface, config *rest.Config) rest.Interface {
	answer := client.Discovery().RESTClient().Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").
		SetHeader("Content-Type", runtime.ContentTypeJSON).Body(widget.Definition).Do(ctx)
	if err := answer.Error(); !errors.IsAlreadyExists(err) {
		must(err)
	}
	scheme := runtime.NewScheme()
	must(widget.AddToScheme(scheme))
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &widget.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	widgets, err := rest.RESTClientFor(config)
	must(err)
	for end := time.Now().Add(30 * time.Second); widgets.Get().Resource("widgets").Do(ctx).Error() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			panic("the widgets are not served within 30 s")
		}
	}
	return widgets
}

func seedWidget(ctx context.Context, widgets rest.Interface, i int) {
	one := widgetOf(i)
	made := &widget.Widget{}
	must(widgets.Post().Namespace(namespace(i)).Resource("widgets").Param("fieldManager", "kubectl-create").Body(one).Do(ctx).Into(made))
	made.Status = widgetStatus(i)
	must(widgets.Put().Namespace(namespace(i)).Resource("widgets").Name(one.Name).SubResource("status").
		Param("fieldManager", "widget-operator").Body(made).Do(ctx).Error())
}

func labels(i int) map[string]string {
	return map[string]string{
		"app":                         fmt.Sprintf("app-%d", i/25),
		"app.kubernetes.io/name":      fmt.Sprintf("app-%d", i/25),
		"app.kubernetes.io/component": "backend",
		"pod-template-hash":           fmt.Sprintf("%010x", hash(i/25)&0xffffffffff),
		contract.Stamp:                noStamp,
	}
}

func hash(i int) uint64 { return (uint64(i) + 1) * 0x9e3779b97f4a7c15 }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
