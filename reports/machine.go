package reports

// Program says what made a result.
type Program struct {
	Name    string `json:"name"`   // llada
	Commit  string `json:"commit"` // of the source, with "-dirty" if it was changed; empty if unknown
	Go      string `json:"go"`     // version
	Kernels string `json:"kernels"`
}

// Machine says what a result was measured on. Fields that a system does not tell are
// empty or zero.
type Machine struct {
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	CPU      string   `json:"cpu"`      // the model's name
	Flags    []string `json:"flags"`    // features of the processor that kernels use or could use
	CPUs     int      `json:"cpus"`     // that the process may use
	Cores    int      `json:"cores"`    // physical ones among them
	Affinity []int    `json:"affinity"` // numbers of those CPUs
	Governor string   `json:"governor"`
	MHz      float64  `json:"mhz"`    // of the fastest core, just then
	Memory   uint64   `json:"memory"` // bytes that the process may use, just then
	Huge     string   `json:"huge"`   // transparent huge pages: always, madvise, never

	MemoryTotal uint64 `json:"memory_total"` // bytes that the machine has

	Warnings []string `json:"warnings"` // why figures may not be what the machine can do
}

// Limits are what a machine can do at most with a number of threads, the best of
// several short trials between the tests they belong to.
type Limits struct {
	Threads int     `json:"threads"`
	Memory  float64 `json:"memory_gb_per_s"`
	Int4    float64 `json:"int4_gmac_per_s"` // products of 4-bit weights and 8-bit activations
	Int8    float64 `json:"int8_gmac_per_s"`
	Float   float64 `json:"float_gmac_per_s"`
}
