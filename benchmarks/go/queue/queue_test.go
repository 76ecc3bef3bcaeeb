// Package queue measures client-go's work queue with the loop of QueueBenchmark.java: add, get, done, each thread its own keys.
package queue

import (
	"fmt"
	"sync"
	"testing"

	"k8s.io/client-go/util/workqueue"
)

func BenchmarkTriple(b *testing.B) {
	for _, threads := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			queue := workqueue.NewTyped[int64]()
			defer queue.ShutDown()
			b.ResetTimer()
			var all sync.WaitGroup
			for t := range threads {
				all.Add(1)
				go func() {
					defer all.Done()
					for i := range b.N / threads {
						queue.Add(int64(t)<<40 + int64(i))
						key, _ := queue.Get()
						queue.Done(key)
					}
				}()
			}
			all.Wait()
		})
	}
}
