// Package queue measures client-go's work queue with the loop of QueueBenchmark.java: add, get, done, each thread its own keys.
package queue

import (
	"fmt"
	"sync"
	"testing"

	"k8s.io/client-go/util/workqueue"
)

// Keys are made before, as in QueueBenchmark.java.
const keys = 1024

func BenchmarkTriple(b *testing.B) {
	for _, threads := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			queue := workqueue.NewTyped[string]()
			defer queue.ShutDown()
			names := make([][]string, threads)
			for t := range names {
				for k := range keys {
					names[t] = append(names[t], fmt.Sprintf("namespace-%d/name-%d", t, k))
				}
			}
			b.ResetTimer()
			var all sync.WaitGroup
			for t := range threads {
				all.Add(1)
				go func() {
					defer all.Done()
					for i := range b.N / threads {
						queue.Add(names[t][i%keys])
						key, _ := queue.Get()
						queue.Done(key)
					}
				}()
			}
			all.Wait()
		})
	}
}
