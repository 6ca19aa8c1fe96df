package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine on which the figures were taken.
type machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gb"`
	System   string  `json:"system"`
	Go       string  `json:"go"`
	Postgres string  `json:"postgres"`
}

func thisMachine() machine {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if v := field("/proc/cpuinfo", "model name"); v != "" {
		m.CPU = v
	}
	m.MemoryGB = float64(kilobytes("/proc/meminfo", "MemTotal")) / (1 << 20)
	return m
}

// load is the machine's average of the last minute, or nothing where the system does not tell.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}

// memory of a process, in megabytes (2^20 bytes).
type memory struct {
	When     string  `json:"when"`
	Resident float64 `json:"resident_mb"`
	// Anonymous is the part that is not the program's own file.
	Anonymous float64 `json:"anonymous_mb"`
	Peak      float64 `json:"peak_mb"`
}

// memoryOf reads what the kernel counts. Only Linux tells it in this form.
func memoryOf(pid int, when string) (memory, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	mb := func(name string) float64 { return float64(kilobytes(path, name)) / 1024 }
	m := memory{When: when, Resident: mb("VmRSS"), Anonymous: mb("RssAnon"), Peak: mb("VmHWM")}
	if m.Resident == 0 {
		return m, fmt.Errorf("the memory of process %d cannot be read", pid)
	}
	return m, nil
}

func kilobytes(path, name string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(field(path, name), " kB"))
	return n
}

// field reads a "name: value" line.
func field(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
