/* Counts the calls that write below one folder, and lets one of them fail or the process die there.

   Loaded with LD_PRELOAD. kcs_arm says what is to happen at which call; faults.py calls it. The
   same functions write the trace from which power_loss.py builds what a disk may hold afterwards. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { OFF, KILL_BEFORE, KILL_AFTER_HALF, ENOSPC_FROM_HERE, EIO_ONCE, SHORT_ONCE, TRACE };
enum { NOTHING, FAIL, HALF };

static int armed, mode, trace_fd = -1;
static long at, n_calls;
static char prefix[PATH_MAX];

void kcs_arm(int new_mode, long new_at, const char *folder, int new_trace_fd) {
    mode = new_mode, at = new_at, n_calls = 0, trace_fd = new_trace_fd;
    strncpy(prefix, folder, sizeof prefix - 1);
    armed = 1;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

static int is_below(const char *path) {
    return armed && path && !strncmp(path, prefix, strlen(prefix));
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_below(path);
}

/* What is to become of the call that is about to be made. is_write: whether it takes room. */
static int verdict(int is_write) {
    long n = ++n_calls;
    if (mode == KILL_BEFORE && n == at) die();
    if (mode == KILL_AFTER_HALF && n == at) return HALF;
    if (mode == ENOSPC_FROM_HERE && n >= at && is_write) { errno = ENOSPC; return FAIL; }
    if (mode == EIO_ONCE && n == at) { errno = EIO; return FAIL; }
    if (mode == SHORT_ONCE && n == at && is_write) return HALF;
    return NOTHING;
}

static void trace(char kind, const char *path, const char *to, long offset, const void *data, long size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (mode != TRACE || !armed) return;
    if (!real) real = dlsym(RTLD_NEXT, "write");
    int32_t lengths[2] = { strlen(path), to ? strlen(to) : 0 };
    int64_t numbers[2] = { offset, data ? size : -1 };
    real(trace_fd, &kind, 1);
    real(trace_fd, lengths, sizeof lengths);
    real(trace_fd, numbers, sizeof numbers);
    real(trace_fd, path, lengths[0]);
    if (to) real(trace_fd, to, lengths[1]);
    if (data) real(trace_fd, data, size);
}

#define REAL(name, ...) \
    static __typeof__(&name) real; \
    if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, data, size);
    int fate = verdict(1);
    if (fate == FAIL) return -1;
    ssize_t n = real(fd, data, fate == HALF ? size / 2 : size);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    if (n > 0) trace('w', path, 0, lseek(fd, 0, SEEK_CUR) - n, data, n);
    return n;
}

static ssize_t positioned(ssize_t (*real)(int, const void *, size_t, off64_t), int fd,
                          const void *data, size_t size, off64_t offset) {
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, data, size, offset);
    int fate = verdict(1);
    if (fate == FAIL) return -1;
    ssize_t n = real(fd, data, fate == HALF ? size / 2 : size, offset);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    if (n > 0) trace('w', path, 0, offset, data, n);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite);
    return positioned((ssize_t (*)(int, const void *, size_t, off64_t))real, fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64);
    return positioned(real, fd, data, size, offset);
}

size_t fwrite(const void *data, size_t width, size_t n, FILE *file) {
    REAL(fwrite);
    char path[PATH_MAX];
    if (!armed || !path_of(fileno(file), path)) return real(data, width, n, file);
    int fate = verdict(1);
    if (fate == FAIL) return 0;
    long offset = ftell(file);
    size_t done = real(data, width, fate == HALF ? n / 2 : n, file);
    if (fate == HALF && mode == KILL_AFTER_HALF) { fflush(file); die(); }
    trace('w', path, 0, offset, data, width * done);
    return done;
}

static int synced(int (*real)(int), int fd) {
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd);
    int fate = verdict(0);
    if (fate == FAIL) return -1;
    int result = real(fd);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    trace('s', path, 0, 0, 0, 0);
    return result;
}

int fsync(int fd) { REAL(fsync); return synced(real, fd); }

int fdatasync(int fd) { REAL(fdatasync); return synced(real, fd); }

static int truncated(int (*real)(int, off64_t), int fd, off64_t size) {
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, size);
    int fate = verdict(1);
    if (fate == FAIL) return -1;
    int result = real(fd, size);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    trace('t', path, 0, size, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) { REAL(ftruncate); return truncated((int (*)(int, off64_t))real, fd, size); }

int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); return truncated(real, fd, size); }

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!is_below(from)) return real(from, to);
    int fate = verdict(0);
    if (fate == FAIL) return -1;
    int result = real(from, to);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    trace('r', from, to, 0, 0, 0);
    return result;
}

int unlink(const char *path) {
    REAL(unlink);
    if (!is_below(path)) return real(path);
    int fate = verdict(0);
    if (fate == FAIL) return -1;
    int result = real(path);
    if (fate == HALF && mode == KILL_AFTER_HALF) die();
    trace('u', path, 0, 0, 0, 0);
    return result;
}
