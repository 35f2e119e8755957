package kernels

//go:generate go run -C _asm . -set tile -out ../tile_amd64.s -stubs ../tile_amd64.go -pkg kernels
//go:generate go run -C _asm . -set vnni -out ../vnni_amd64.s -stubs ../vnni_amd64.go -pkg kernels
//go:generate go run -C _asm . -set pack -out ../pack_amd64.s -stubs ../pack_amd64.go -pkg kernels
//go:generate go run -C _asm . -set float -out ../float_amd64.s -stubs ../float_amd64.go -pkg kernels
//go:generate go run -C _asm . -set vector -out ../vector_amd64.s -stubs ../vector_amd64.go -pkg kernels
//go:generate go run -C _asm . -set quantize -out ../quantize_amd64.s -stubs ../quantize_amd64.go -pkg kernels
//go:generate go run -C _asm . -set search -out ../search_amd64.s -stubs ../search_amd64.go -pkg kernels
//go:generate go run -C _asm . -set attend -out ../attend_amd64.s -stubs ../attend_amd64.go -pkg kernels
//go:generate go run -C _asm . -set attendvnni -out ../attendvnni_amd64.s -stubs ../attendvnni_amd64.go -pkg kernels
//go:generate go run -C _asm . -set floatvnni -out ../floatvnni_amd64.s -stubs ../floatvnni_amd64.go -pkg kernels
//go:generate go run -C _asm . -set peak -out ../peak/peak_amd64.s -stubs ../peak/peak_amd64.go -pkg peak
//go:generate go run -C _asm . -set peakvnni -out ../peak/vnni_amd64.s -stubs ../peak/vnni_amd64.go -pkg peak
//go:generate go run -C _asm ./arm64 -set tile -out ../tile_arm64.s -stubs ../tile_arm64.go
//go:generate go run -C _asm ./arm64 -set pack -out ../pack_arm64.s -stubs ../pack_arm64.go
//go:generate go run -C _asm ./arm64 -set float -out ../float_arm64.s -stubs ../float_arm64.go
//go:generate go run -C _asm ./arm64 -set vector -out ../vector_arm64.s -stubs ../vector_arm64.go
//go:generate go run -C _asm ./arm64 -set quantize -out ../quantize_arm64.s -stubs ../quantize_arm64.go
//go:generate go run -C _asm ./arm64 -set search -out ../search_arm64.s -stubs ../search_arm64.go
//go:generate go run -C _asm ./arm64 -set attend -out ../attend_arm64.s -stubs ../attend_arm64.go
