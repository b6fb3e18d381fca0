// Keeps some blocks and drops others, and writes its heap's profile where its argument says.
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

var (
	kept = make([][]byte, 0, 100)
	last []byte
)

//go:noinline
func keep(blocks, size int) {
	for i := 0; i < blocks; i++ {
		kept = append(kept, make([]byte, size))
	}
}

//go:noinline
func pass(blocks, size int) {
	for i := 0; i < blocks; i++ {
		last = make([]byte, size)
	}
	last = nil
}

func main() {
	runtime.MemProfileRate = 1
	keep(100, 4096)
	pass(1000, 1024)
	// A profile shows the heap as of the last collection but one.
	runtime.GC()
	runtime.GC()
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := pprof.Lookup("heap").WriteTo(file, 0); err != nil {
		panic(err)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
}
