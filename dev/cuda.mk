# The CUDA backend, where nvcc is, and the programs that dev/gpu_check.sh runs on a GPU. Part of the Makefile.

# ---- CUDA: NVCC, CUDA_HOME, CUDA_INCLUDES, HAVE_CUBLASLT, ...; all of them empty without CUDA
$(foreach line,$(shell dev/cuda_paths.sh),$(eval $(line)))
CUDA_ARCHS   ?= 80 90a 100
# Kernels with wgmma are assembled by ptxas 13.3 or newer, or left out (as they are by an nvcc that make's caller names). Where
# nvcc's own is older, and another is there, a shadow of the toolkit compiles everything: links to its files, but for
# ptxas, and for nvcc, which looks for them beside itself.
ifneq ($(and $(NVCC),$(filter file,$(origin NVCC)),$(filter 90a,$(CUDA_ARCHS))),)
ifeq ($(PTXAS),)
WGMMA_NOTE   := echo "  NOTE  kernels with wgmma are left out: they need ptxas 13.3 or newer (dev/setup.sh --cuda)"
else
HAVE_WGMMA   := yes
ifneq ($(PTXAS),$(CUDA_HOME)/bin/ptxas)
SHADOW       := $(B)/cuda-toolkit
NVCC         := $(SHADOW)/bin/nvcc
$(SHADOW)/bin/nvcc: $(PTXAS) $(CUDA_HOME)/bin/nvcc
	@echo "  LINK  $(SHADOW)"
	@rm -rf $(SHADOW) $(SHADOW).part
	@cp -as $(CUDA_HOME)/. $(SHADOW).part
	@ln -sf $(PTXAS) $(SHADOW).part/bin/ptxas
	@cp --remove-destination $(CUDA_HOME)/bin/nvcc $(SHADOW).part/bin/nvcc
	@mv $(SHADOW).part $(SHADOW)
endif
endif
endif
CUDA_SOURCES := $(wildcard kernels/cuda/*.cu)
colon        := :
comma        := ,
gencode       = $(foreach a,$(CUDA_ARCHS),-gencode=arch=compute_$(a),code=sm_$(a))
NVCCFLAGS    := -std=c++17 -O3 -fmad=false -Xcompiler -ffp-contract=off -lineinfo -I. \
                $(patsubst %,-I%,$(subst $(colon), ,$(CUDA_INCLUDES))) $(if $(HAVE_CUBLASLT),-DHAVE_CUBLASLT) $(if $(HAVE_WGMMA),-DHAVE_WGMMA) -Xcompiler -Wall,-Wextra,-Wno-unused-parameter -Xptxas -v
# fp32 is for parity, not for speed: the driver compiles it when it is loaded
NVCCFLAGS_bf16 := -DPRECISION=bf16 -DPRECISION_BITS=16
NVCCFLAGS_fp32 := -DPRECISION=fp32 -DPRECISION_BITS=32
ONCE         := kernels/cuda/device.cu $(wildcard kernels/cuda/hopper*.cu kernels/cuda/*cudnn*.cu)
PER_PRECISION := $(filter-out $(ONCE),$(CUDA_SOURCES))
cuda_objects = $(PER_PRECISION:kernels/cuda/%.cu=$(1)/%_bf16.o) $(PER_PRECISION:kernels/cuda/%.cu=$(1)/%_fp32.o) \
               $(ONCE:kernels/cuda/%.cu=$(1)/%_bf16.o)
ifneq ($(NVCC),)
CUDA_ARCHIVE := $(B)/cuda/libcuda.a
CUDA_LIBS    := $(B)/libdereason.a $(patsubst %,-L%,$(firstword $(subst $(colon), ,$(CUDA_LIBRARIES)))) \
                -lcudart_static -lstdc++ -ldl -lrt -lpthread
# where the program looks for libraries opened at run time, beside LD_LIBRARY_PATH
CUDA_RPATH   := $(patsubst %,-Wl$(comma)-rpath$(comma)%,$(subst $(colon), ,$(CUDA_LIBRARIES)))
endif
# Files that depend on which parts of CUDA are installed are rebuilt when that changes.
CUDA_PARTS   := $(NVCC) $(HAVE_CUBLASLT) $(HAVE_CUDNN) $(HAVE_WGMMA) $(CUDA_ARCHS)
$(shell mkdir -p $(B); echo '$(CUDA_PARTS)' | cmp -s - $(B)/cuda.txt || echo '$(CUDA_PARTS)' >$(B)/cuda.txt)
$(B)/kernels/open.o $(call cuda_objects,$(B)/cuda): $(B)/cuda.txt
$(call cuda_objects,$(B)/cuda) $(patsubst lab/bench/%.cu,$(B)/cuda/check/%.o,$(wildcard lab/bench/*.cu)): $(NVCC) $(B)/cuda.txt
$(B)/cuda/libcuda.a: $(call cuda_objects,$(B)/cuda)
	@rm -f $@
	@ar rcs $@ $^
	@$(WGMMA_NOTE)
# The compilers' output goes to a .log, which dev/check_ptxas.sh reads, and to the terminal on failure.
nvcc = echo "  NVCC  $@" && mkdir -p $(@D) && { $(NVCC) $(NVCCFLAGS) $(1) -MMD -MP -MF $(@:.o=.d) -c $< -o $@ >$(@:.o=.log) 2>&1 || \
       { cat $(@:.o=.log); rm -f $@; exit 1; }; }
$(B)/cuda/hopper%_bf16.o: kernels/cuda/hopper%.cu
	@$(call nvcc,$(NVCCFLAGS_bf16) $(if $(HAVE_WGMMA),-gencode=arch=compute_90a$(comma)code=sm_90a,$(gencode)))
$(B)/cuda/%_bf16.o: kernels/cuda/%.cu
	@$(call nvcc,$(NVCCFLAGS_bf16) $(gencode))
$(B)/cuda/%_fp32.o: kernels/cuda/%.cu
	@$(call nvcc,$(NVCCFLAGS_fp32) -gencode=arch=compute_80$(comma)code=compute_80)

# ---- programs that dev/gpu_check.sh runs on a GPU, maybe on another machine that has nothing but CUDA's libraries: all
# of ours are linked statically. cuda-check builds them.
CUDA_TESTS   := $(wildcard test/cuda/*.cc)
GPU_BENCHES  := kernel_bench chain_check
BENCH_PARTS  := bench_cases bench_timer plain_kernels
CHECKS       := $(addprefix $(B)/cuda/,test_cuda kernel_bench chain_check train_sft generate_bench rl_bench)
CHECK_LIBS   := -Wl,-Bstatic -ljansson -lpcre2-8 -lutf8proc -lxxhash -lprotobuf-c -lmpc -lmpfr -lgmp -l:libgomp.a -Wl,-Bdynamic $(filter-out -lstdc++ %.a,$(CUDA_LIBS)) \
                -static-libgcc -static-libstdc++ -lm -s
CHECK_FLAGS  := -std=c++17 -fopenmp -D_GNU_SOURCE -I. $(patsubst %,-I%,$(subst $(colon), ,$(CUDA_INCLUDES))) $(NVCCFLAGS_bf16) -O2 \
                -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wno-unused-parameter -MMD -MP
$(B)/cuda/check/%.o: test/cuda/%.cc
	@mkdir -p $(@D)
	@echo "  CXX   $@"
	@$(CXX) $(CHECK_FLAGS) -c $< -o $@
$(B)/cuda/check/%.o: lab/bench/%.cc
	@mkdir -p $(@D)
	@echo "  CXX   $@"
	@$(CXX) $(CHECK_FLAGS) -c $< -o $@
$(B)/cuda/check/%.o: lab/bench/%.cu
	@$(call nvcc,$(NVCCFLAGS_bf16) $(gencode))
$(B)/cuda/test_cuda: $(CUDA_TESTS:test/cuda/%.cc=$(B)/cuda/check/%.o)
$(B)/cuda/kernel_bench: $(B)/cuda/check/kernel_bench.o $(BENCH_PARTS:%=$(B)/cuda/check/%.o)
$(B)/cuda/chain_check: $(B)/cuda/check/chain_check.o
$(B)/cuda/train_sft: $(B)/train_sft.o
$(B)/cuda/generate_bench: $(B)/lab/bench/generate_bench.o
$(B)/cuda/rl_bench: $(B)/lab/bench/rl_bench.o
$(CHECKS): $(B)/lab/bench/without_network.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CXX) -o $@ $(filter %.o,$^) $(B)/libdereason.a $(CUDA_ARCHIVE) $(B)/libdereason.a $(CHECK_LIBS)
cuda-check: setup-build
	@$(if $(NVCC),:,echo "make cuda-check needs nvcc; install the CUDA toolkit, or set CUDA_HOME" >&2; exit 1)
	@$(MAKE) --no-print-directory -j$(JOBS) $(CHECKS)
	@git describe --always --dirty >$(B)/cuda/commit 2>/dev/null || true
