include $(sort $(wildcard $(BR2_EXTERNAL_SBC_PATH)/package/*/*.mk))
