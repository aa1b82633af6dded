#!/usr/bin/env bash
# Generates ../Generated from the .proto files of this folder. Needs protoc; the plug-ins protoc-gen-swift and
# protoc-gen-grpc-swift-2 are built from the package's own dependencies unless PROTOC_PLUGINS names a folder with them.
set -euo pipefail
cd "$(dirname "$0")"
package=../../..
plugins=${PROTOC_PLUGINS:-}
if [ -z "$plugins" ]; then
    scratch=${SCRATCH_PATH:-$package/.build}
    for product in protoc-gen-swift protoc-gen-grpc-swift-2; do
        swift build --package-path "$package" --scratch-path "$scratch" --product "$product"
    done
    plugins=$(swift build --package-path "$package" --scratch-path "$scratch" --show-bin-path)
fi
out=../Generated
rm -rf "$out"
mkdir -p "$out"
find . -name '*.proto' | sed 's#^\./##' | sort | while read -r proto; do
    protoc --proto_path=. "$proto" \
        --plugin="protoc-gen-swift=$plugins/protoc-gen-swift" \
        --plugin="protoc-gen-grpc-swift-2=$plugins/protoc-gen-grpc-swift-2" \
        --swift_out="$out" --swift_opt=Visibility=Internal,FileNaming=PathToUnderscores \
        --grpc-swift-2_out="$out" --grpc-swift-2_opt=Visibility=Internal,FileNaming=PathToUnderscores
done
