"""Commands that steer an installer and mean nothing for an image, with the reason."""

from __future__ import annotations

from builder.kickstart.registry import meaningless

meaningless("an image build shows no installer", "text", "cmdline", "graphical", "vnc", "rdp")
meaningless("the build ends when the image is done", "reboot", "shutdown", "poweroff", "halt")
meaningless("the builder accepts no licence in anybody's name", "eula")
meaningless("the image has no X server to configure", "skipx")
meaningless("the builder installs always anew", "install", "upgrade")
meaningless("the release names the source", "cdrom", "harddrive")
meaningless("the builder has a log of its own", "logging")
meaningless("a build that fails ends with an error and a log", "%onerror", "%traceback")
meaningless("the builder has no installer to configure", "%anaconda")
