#!/bin/sh
# Finds CUDA, as lines NAME=value that a shell can evaluate and make can read: values hold no blanks, lists are
# separated by colons. A whole toolkit comes first (CUDA_HOME, /usr/local/cuda, the folder of the nvcc on the PATH). If
# it lacks one of the others, that is searched in the Python packages: those of `dev/setup.sh --cuda`, then those of the
# installed Python. Finding nothing is no error: the value is empty then.
#
#   CUDA_HOME         folder of the toolkit
#   NVCC              the compiler
#   CUDA_INCLUDES     folders of headers: the toolkit's, then those of the libraries that were found elsewhere
#   CUDA_LIBRARIES    folders with libraries to load at run time, for LD_LIBRARY_PATH
#   HAVE_CUBLASLT, HAVE_NCCL, HAVE_CUDNN    the header's path if it exists; of cuDNN, if it is of 9.28 or newer
#   PTXAS             an assembler of 13.3 or newer: older ones make wrong code of wgmma (lab/NOTES.md, 2026-11-29)
#   CUOBJDUMP         where nvdisasm is beside it
#
#   shell:  eval "$(dev/cuda_paths.sh)"          make:  $(foreach line,$(shell dev/cuda_paths.sh),$(eval $(line)))
set -eu
cd "$(dirname "$0")/.."

# The toolkit: a folder that has bin/nvcc. An nvcc on the PATH may be a script for one elsewhere: nvcc itself knows
# (TOP=).
toolkit() {
    for folder in "${CUDA_HOME:-}" /usr/local/cuda; do
        [ -n "$folder" ] && [ -x "$folder/bin/nvcc" ] && { echo "$folder"; return; }
    done
    command -v nvcc >/dev/null 2>&1 || return 0
    top=$(nvcc --dryrun -x cu /dev/null 2>&1 | sed -n 's/^#\$ TOP=//p' | head -n 1)
    [ -n "$top" ] && [ -d "$top" ] && (cd "$top" && pwd -P)
    return 0
}

# Folders named nvidia/ of Python packages, best first.
packages() {
    [ -d build/cuda-packages/nvidia ] && echo "$PWD/build/cuda-packages/nvidia"
    "${PYTHON:-python3}" -c 'import nvidia; print("\n".join(nvidia.__path__))' 2>/dev/null || true
}

# right_about_wgmma PTXAS
right_about_wgmma() {
    release=$("$1" --version | sed -n 's/.*release \([0-9]*\)\.\([0-9]*\),.*/\1 * 100 + \2/p')
    [ $((${release:-0})) -ge 1303 ]
}

# is_recent_enough HEADER: true of all but an older cuDNN's (kernels/cuda/cudnn.h says why)
is_recent_enough() {
    version=$(dirname "$1")/cudnn_version.h
    case $1 in */cudnn.h) ;; *) return 0 ;; esac
    number=$(sed -n 's/^#define CUDNN_\(MAJOR\|MINOR\) *\([0-9]*\).*/\2/p' "$version" 2>/dev/null | head -n 2 | tr '\n' ' ')
    # shellcheck disable=SC2086
    set -- $number
    [ $((${1:-0} * 100 + ${2:-0})) -ge 928 ]
}

# find_file NAME FOLDER...: the first of the folders that has it
find_file() {
    name=$1
    shift
    for folder in "$@"; do
        [ -e "$folder/$name" ] && (is_recent_enough "$folder/$name") && { echo "$folder"; return; }
    done
    return 0
}

home=$(toolkit)
includes="" libraries="" package_includes="" package_libraries="" package_binaries="" ptxas="" cuobjdump=""
if [ -n "$home" ]; then
    for folder in "$home/include" "$home/targets/x86_64-linux/include"; do
        [ -e "$folder/cuda_runtime.h" ] && { includes=$folder; break; }
    done
    for folder in "$home/lib64" "$home/targets/x86_64-linux/lib"; do
        [ -d "$folder" ] && { libraries=$folder; break; }
    done
fi
for root in $(packages); do
    for folder in "$root"/*/include; do [ -d "$folder" ] && package_includes="$package_includes $folder"; done
    for folder in "$root"/*/lib; do [ -d "$folder" ] && package_libraries="$package_libraries $folder"; done
    for folder in "$root"/*/bin; do [ -d "$folder" ] && package_binaries="$package_binaries $folder"; done
done

for folder in ${home:+"$home/bin"} $package_binaries; do
    [ -z "$ptxas" ] && [ -x "$folder/ptxas" ] && right_about_wgmma "$folder/ptxas" && ptxas=$folder/ptxas
    [ -z "$cuobjdump" ] && [ -x "$folder/cuobjdump" ] && [ -x "$folder/nvdisasm" ] && cuobjdump=$folder/cuobjdump
done

echo "CUDA_HOME=$home"
echo "NVCC=${home:+$home/bin/nvcc}"
all_includes=$includes
echo "PTXAS=$ptxas"
echo "CUOBJDUMP=$cuobjdump"
for library in CUBLASLT:cublasLt.h NCCL:nccl.h CUDNN:cudnn.h; do
    header=${library#*:}
    # shellcheck disable=SC2086
    folder=$(find_file "$header" $includes $package_includes)
    case ":$all_includes:" in *":$folder:"*) ;; *) all_includes="$all_includes${folder:+:$folder}" ;; esac
    echo "HAVE_${library%%:*}=${folder:+$folder/$header}"
done
echo "CUDA_INCLUDES=${all_includes#:}"
for folder in $package_libraries; do
    case ":$libraries:" in *":$folder:"*) ;; *) libraries="$libraries:$folder" ;; esac
done
echo "CUDA_LIBRARIES=${libraries#:}"
