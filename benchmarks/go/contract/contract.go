// Package contract is what every adapter does, in each language the same (benchmarks/README.md): commands come as lines, answers
// go as lines of JSON. This is the half of the Go adapters.
package contract

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Stamp is the label that says when an event was made: t and 16 digits, microseconds since 1970.
const Stamp = "bench.homeostat.io/stamp"

const (
	limit = 600 * time.Second
	quiet = 300 * time.Millisecond
)

// Settings is what the process was started with.
type Settings struct {
	Kubeconfig string
	Resource   string // pods or widgets
	Objects    int
	Variant    string // what of the client is not as it is by default
}

// Client starts an informer over all namespaces; it ends with the context.
type Client func(ctx context.Context, settings Settings, counts *Counts) error

// Counts is what handlers and reconcilers report; any goroutine.
type Counts struct {
	objects     int64
	Reconciling bool // whether the reconciler, not the handler, counts as first call, as synced and as latency; set before anything is counted

	adds, updates, calls, reconciles atomic.Int64
	complete, again                  atomic.Bool
	stamped, expected                atomic.Int64 // latencies that came, and are kept, in this phase
	first, synced                    atomic.Pointer[meter]

	lock      sync.Mutex
	latencies []int64 // guarded by lock
}

type meter struct {
	at        time.Time
	cpu       time.Duration
	allocated uint64
}

func now() *meter {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return &meter{at: time.Now(), cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
}

func withAllocation() *meter {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m := now()
	m.allocated = memory.TotalAlloc
	return m
}

// Added says that the handler was told that an object is there.
func (c *Counts) Added() {
	c.firstCall()
	c.calls.Add(1)
	c.adds.Add(1)
	c.look()
}

// Updated says that the handler was told of a change.
func (c *Counts) Updated(stamp string) {
	c.calls.Add(1)
	if !c.Reconciling {
		c.latency(stamp)
	}
	c.updates.Add(1)
}

// Reconciled says that the reconciler was called; it tells whether it is to ask for another call of this object, as soon as its library
// gives one.
func (c *Counts) Reconciled(stamp string) bool {
	c.firstCall()
	c.latency(stamp)
	c.reconciles.Add(1)
	c.look()
	return c.again.Load()
}

// Complete says that the library says that its cache is full.
func (c *Counts) Complete() {
	c.complete.Store(true)
	c.look()
}

func (c *Counts) firstCall() {
	if c.first.Load() == nil {
		c.first.CompareAndSwap(nil, now())
	}
}

func (c *Counts) look() {
	seen := c.adds.Load()
	if c.Reconciling {
		seen = c.reconciles.Load()
	}
	if c.complete.Load() && seen >= c.objects && c.synced.Load() == nil {
		c.synced.CompareAndSwap(nil, now())
	}
}

func (c *Counts) latency(stamp string) {
	if len(stamp) < 2 || c.stamped.Add(1) > c.expected.Load() {
		return
	}
	made, err := strconv.ParseInt(stamp[1:], 10, 64)
	must(err)
	if made > 0 {
		taken := max(1, time.Now().UnixMicro()-made)
		c.lock.Lock()
		c.latencies = append(c.latencies, taken)
		c.lock.Unlock()
	}
}

func (c *Counts) phase(events int) {
	c.updates.Store(0)
	c.calls.Store(0)
	c.reconciles.Store(0)
	c.expected.Store(int64(events))
	c.stamped.Store(0)
	c.lock.Lock()
	c.latencies = make([]int64, 0, events)
	c.lock.Unlock()
}

// settle returns when no reconcile was done for a while.
func (c *Counts) settle() {
	for seen := int64(-1); seen != c.reconciles.Load(); time.Sleep(quiet) {
		seen = c.reconciles.Load()
	}
}

// Serve serves commands until the input ends.
func Serve(client Client) {
	objects, err := strconv.Atoi(os.Args[3])
	must(err)
	settings := Settings{Kubeconfig: os.Args[1], Resource: os.Args[2], Objects: objects, Variant: os.Args[4]}
	counts := &Counts{}
	begin := withAllocation()
	var end context.CancelFunc = func() {}
	ended := make(chan error, 1)
	say("ready", `"cpu_us":%d,"runtime":%q`, begin.cpu.Microseconds(), runtime.Version())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "sync":
			counts = &Counts{objects: int64(settings.Objects)}
			begin = withAllocation()
			var ctx context.Context
			ctx, end = context.WithCancel(context.Background())
			told := counts
			go func() { ended <- client(ctx, settings, told) }()
			await("the cache is full", func() bool {
				select {
				case err := <-ended:
					panic(fmt.Sprintf("the client ended before it was synced: %v", err))
				default:
					return counts.synced.Load() != nil
				}
			})
			done := withAllocation()
			say("first", "%s", counts.first.Load().since(begin))
			say("synced", `%s,"allocated":%d`, counts.synced.Load().since(begin), done.allocated-begin.allocated)
		case "events":
			expected, err := strconv.Atoi(words[1])
			must(err)
			counts.phase(expected)
			begin = withAllocation()
			say("armed", `"expected":%d`, expected)
			await(words[1]+" events were told", func() bool { return counts.updates.Load() >= int64(expected) })
			counts.settle()
			done := withAllocation()
			counts.lock.Lock()
			slices.Sort(counts.latencies)
			p50, p99 := at(counts.latencies, 0.5), at(counts.latencies, 0.99)
			counts.lock.Unlock()
			say("events", `%s,"events":%d,"calls":%d,"reconciles":%d,"allocated":%d,"p50_us":%d,"p99_us":%d`, done.since(begin),
				counts.updates.Load(), counts.calls.Load(), counts.reconciles.Load(), done.allocated-begin.allocated, p50, p99)
		case "heap":
			runtime.GC()
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			say("heap", `"heap":%d`, memory.HeapAlloc)
		case "mark":
			done := withAllocation()
			say("mark", `%s,"calls":%d,"reconciles":%d`, done.since(begin), counts.calls.Load(), counts.reconciles.Load())
			counts.phase(0)
			begin = done
		case "again": // once all objects were reconciled, all of them wait for a worker, for ever
			counts.phase(0)
			counts.again.Store(true)
			say("again", `"cpu_us":%d`, now().cpu.Microseconds())
		case "once":
			counts.again.Store(false)
			counts.settle()
			say("once", `"cpu_us":%d`, now().cpu.Microseconds())
		case "close":
			end()
			must(<-ended)
			say("closed", `"cpu_us":%d`, now().cpu.Microseconds())
		default:
			panic("unknown command: " + lines.Text())
		}
	}
}

func at(sorted []int64, share float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

func (m *meter) since(begin *meter) string {
	return fmt.Sprintf(`"seconds":%.6f,"cpu_us":%d`, m.at.Sub(begin.at).Seconds(), (m.cpu - begin.cpu).Microseconds())
}

func await(what string, holds func() bool) {
	for end := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			panic(fmt.Sprintf("not so within %v: %s", limit, what))
		}
	}
}

func say(at, format string, values ...any) {
	fmt.Printf("{\"at\":%q,%s}\n", at, fmt.Sprintf(format, values...))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
