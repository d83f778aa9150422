################################################################################
#
# sbc
#
################################################################################

SBC_VERSION = local
SBC_SITE = $(BR2_EXTERNAL_SBC_PATH)/..
SBC_SITE_METHOD = local
SBC_LICENSE = MIT or Apache-2.0
SBC_DEPENDENCIES = host-rustc
# Cargo's own results would be copied with the sources.
SBC_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude /target

# A local source is not vendored: cargo fetches what Cargo.lock names.
define SBC_BUILD_CMDS
	cd $(@D) && $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(PKG_CARGO_ENV) \
		RUSTFLAGS="-C target-feature=+crt-static" \
		cargo build --locked --profile image \
			--package sbc-core --bin sbc
endef

define SBC_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/image/sbc \
		$(TARGET_DIR)/usr/sbin/sbc
	ln -sf sbc $(TARGET_DIR)/usr/sbin/init
	ln -sf sbc $(TARGET_DIR)/usr/sbin/modprobe
endef

$(eval $(generic-package))
