/* What a hostile scriptlet tries, as one static program: it is the interpreter of the scriptlets
   of tests/security/test_security_scriptlets.py, and runs the words of the line that it is given. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

static FILE *said;

static void copy(const char *label, const char *path) {
    char text[65536];
    int f = open(path, O_RDONLY);
    ssize_t n = f < 0 ? -1 : read(f, text, sizeof text - 1);
    if (f >= 0) close(f);
    if (n < 0) return;
    for (ssize_t i = 0; i < n; i++) if (!text[i]) text[i] = '\n';
    text[n] = 0;
    fprintf(said, "%s[%s]\n", label, text);
}

static void try_file(const char *path) {
    int f = open(path, O_RDONLY);
    if (f >= 0) { fprintf(said, "read %s\n", path); close(f); }
    f = open(path, O_WRONLY | O_APPEND);
    if (f >= 0) { fprintf(said, "wrote %s\n", path); if (write(f, "x", 1) < 0) {} close(f); }
}

int main(int argc, char **argv) {
    char line[4096] = "", *word;
    FILE *script = argc > 1 ? fopen(argv[1], "r") : NULL;
    said = fopen("/said", "a");
    if (!script || !said || !fgets(line, sizeof line, script)) return 0;
    setvbuf(said, NULL, _IONBF, 0);
    for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
        if (!strcmp(word, "environment")) {
            copy("first", "/proc/1/environ"); copy("words", "/proc/1/cmdline");
            copy("own", "/proc/self/environ"); copy("status", "/proc/self/status");
            struct utsname name; uname(&name);
            fprintf(said, "uname %s %s\n", name.nodename, name.release);
        } else if (!strcmp(word, "escape")) { /* out of rpm's chroot, chroot(2), "NOTES" */
            mkdir("/below", 0700);
            int top = open("/", O_RDONLY | O_DIRECTORY);
            if (chroot("/below") == 0 && fchdir(top) == 0) {
                for (int i = 0; i < 64; i++) if (chdir("..")) break;
                if (chroot(".") == 0) fprintf(said, "out\n");
            }
        } else if (!strcmp(word, "mount")) {
            char *flags[] = {"remount", "bind", "new"};
            unsigned long values[] = {MS_REMOUNT, MS_REMOUNT | MS_BIND, 0};
            for (int i = 0; i < 3; i++) {
                if (mount("none", "/", "tmpfs", values[i], NULL) == 0)
                    fprintf(said, "mount %s\n", flags[i]);
                if (mount("none", "/usr", "tmpfs", values[i], NULL) == 0)
                    fprintf(said, "mount %s of usr\n", flags[i]);
            }
            if (umount2("/usr", MNT_DETACH) == 0 || umount2("/proc", MNT_DETACH) == 0)
                fprintf(said, "unmounted\n");
        } else if (!strcmp(word, "kernel")) {
            unsigned long commands[] = {0x4008662C, 0x41009432, 0xC0045877, 0x8004587D, 0x40086610};
            int f = open("/", O_RDONLY);
            char buffer[4096] = {0};
            for (int i = 0; i < 5; i++)
                if (ioctl(f, commands[i], buffer) == 0 || errno != ENOTTY)
                    fprintf(said, "ioctl %lx\n", commands[i]);
            if (mknod("/node", S_IFBLK | 0600, makedev(7, 0)) == 0) fprintf(said, "mknod\n");
            if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0) fprintf(said, "ptrace\n");
        } else if (!strcmp(word, "flood")) {
            for (;;) if (write(1, line, sizeof line) < 0 && write(2, line, sizeof line) < 0) {}
        } else if (!strcmp(word, "fork")) {
            for (;;) if (fork() == 0) { sleep(100); _exit(0); }
        } else if (!strcmp(word, "files")) {
            for (int i = 0; ; i++) {
                char name[32]; snprintf(name, sizeof name, "/many-%d", i);
                close(open(name, O_CREAT | O_WRONLY, 0600));
            }
        } else if (word[0] == '/') try_file(word);
    }
    fprintf(said, "done\n");
    return 0;
}
