/*
 * Loaded before the C library (LD_PRELOAD), so that the program under test needs no hooks of its own: counts every call
 * that changes a file under one directory, and at a chosen one does what a crash or a bad disk would do.
 *
 *   FAILPOINT_UNDER   the directory; calls about files elsewhere are neither counted nor touched
 *   FAILPOINT_NUMBER  which call, from 1; without it calls are only counted
 *   FAILPOINT_KIND    before: killed before the call; after: after it; torn: after half of a write;
 *                     nospace, io: the call fails, and so does every later one that needs space or a disk;
 *                     unheard: the call takes effect, and reports EIO; hang: the call never returns
 *   FAILPOINT_LOG     a file that each counted call is appended to, as a line
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { NONE, BEFORE, AFTER, TORN, NOSPACE, IO, UNHEARD, HANG };

static atomic_long calls;
static char under[PATH_MAX];
static size_t under_length;
static long number;
static enum kind kind;
static int log_to = -1;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);

__attribute__((constructor)) static void read_orders(void) {
    static const char *const names[] = {"", "before", "after", "torn", "nospace", "io", "unheard", "hang"};
    const char *place = getenv("FAILPOINT_UNDER"), *at = getenv("FAILPOINT_NUMBER"), *how = getenv("FAILPOINT_KIND");
    const char *log = getenv("FAILPOINT_LOG");
    real_open = dlsym(RTLD_NEXT, "open64");
    real_write = dlsym(RTLD_NEXT, "write");
    if (place == NULL || realpath(place, under) == NULL) return;
    under_length = strlen(under);
    number = at == NULL ? 0 : atol(at);
    for (int each = 0; how != NULL && each < 8; each++)
        if (strcmp(how, names[each]) == 0) kind = each;
    if (log != NULL) log_to = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_under(const char *path) {
    return under_length > 0 && strncmp(path, under, under_length) == 0 && (path[under_length] == '/' || path[under_length] == 0);
}

/* Paths as prodpin gives them: absolute, or relative to the working directory. */
static int concerns(const char *path) {
    char whole[2 * PATH_MAX], here[PATH_MAX];
    if (path == NULL) return 0;
    if (path[0] == '/') return is_under(path);
    if (getcwd(here, sizeof here) == NULL) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return is_under(whole);
}

static int concerns_file(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_under(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What becomes of this call. Killing and hanging need no further call; what fails goes on failing. */
static enum kind meet(const char *name, const char *path) {
    long now = atomic_fetch_add(&calls, 1) + 1;
    if (log_to >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s %s\n", name, path);
        real_write(log_to, line, length);
    }
    if (number == 0 || now < number) return NONE;
    if (now > number && kind != NOSPACE && kind != IO) return NONE;
    if (kind == BEFORE) die();
    if (kind == HANG) for (;;) pause();
    return kind;
}

static const char *path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) real = dlsym(RTLD_NEXT, name)

static int fails(enum kind now, int needs_space) {
    if (now == NOSPACE && needs_space) errno = ENOSPC;
    else if (now == IO) errno = EIO;
    else return 0;
    return 1;
}

static long settle(enum kind now, long done) {
    if (now == AFTER || now == TORN) die();
    if (now == UNHEARD && done >= 0) {
        errno = EIO;
        return -1;
    }
    return done;
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
    REAL(int, "open64", const char *, int, ...);
    if (!(flags & O_CREAT) || !concerns(path)) return real(path, flags, mode);
    enum kind now = meet(name, path);
    if (fails(now, 1)) return -1;
    return (int)settle(now, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened("open", path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened("open", path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t length) {
    char path[PATH_MAX];
    if (real_write == NULL) real_write = dlsym(RTLD_NEXT, "write");
    if (!concerns_file(file)) return real_write(file, bytes, length);
    enum kind now = meet("write", path_of(file, path));
    if (fails(now, 1)) return -1;
    return settle(now, real_write(file, bytes, now == TORN ? length / 2 : length));
}

int fsync(int file) {
    char path[PATH_MAX];
    REAL(int, "fsync", int);
    if (!concerns_file(file)) return real(file);
    enum kind now = meet("fsync", path_of(file, path));
    if (fails(now, 0)) return -1;
    return (int)settle(now, real(file));
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    if (!concerns(new)) return real(from, old, to, new, flags);
    enum kind now = meet("link", new);
    if (fails(now, 1)) return -1;
    return (int)settle(now, real(from, old, to, new, flags));
}

int rename(const char *old, const char *new) {
    REAL(int, "rename", const char *, const char *);
    if (!concerns(new)) return real(old, new);
    enum kind now = meet("rename", new);
    if (fails(now, 1)) return -1;
    return (int)settle(now, real(old, new));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (!concerns(path)) return real(path, mode);
    enum kind now = meet("mkdir", path);
    if (fails(now, 1)) return -1;
    return (int)settle(now, real(path, mode));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (!concerns(path)) return real(path);
    enum kind now = meet("unlink", path);
    if (fails(now, 0)) return -1;
    return (int)settle(now, real(path));
}
