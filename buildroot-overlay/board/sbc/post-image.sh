#!/bin/sh
# Buildroot's root and kernel come in; our disk image goes out, by the same builder as
# ours: slots, hash tree, loaders, checks.
set -eu

top=$(realpath "$BR2_EXTERNAL_SBC_PATH/..")
cd "$top"
exec cargo run --quiet --locked --release --package sbc-image --bin sbc-image -- \
    assemble --rootfs "$TARGET_DIR" --kernel "$BINARIES_DIR/bzImage" --out "$BINARIES_DIR"
