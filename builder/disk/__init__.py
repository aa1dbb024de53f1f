"""The disk image: layout, the two engines, the boot loader's sectors."""
