/* Loaded before the C library (LD_PRELOAD), makes each wait for the disk as long as one of a millisecond, which is what many a
   disk in a data centre takes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slowly(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct timespec millisecond = {0, 1000000};
    nanosleep(&millisecond, 0);
    return real(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
