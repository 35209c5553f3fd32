/*
 * A layer between workerd and the C library (LD_PRELOAD) that breaks the storage and moves the
 * clock when it is told to, by a page of memory that it shares with the harness (faults.mjs, which
 * has the same words in the same order).
 *
 * It follows the files of databases: main file, rollback journal, write-ahead log. Of each it keeps
 * what was written since the last fsync, and what was there before. A power cut takes all of that
 * back, writes some of it again, perhaps torn at a sector, and ends the process.
 *
 * Out of scope: entries of directories count as durable at once; the shared-memory index is not
 * followed, since a start makes it anew.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The words of the shared page. */
struct control {
  int64_t clock_offset_ns;
  int64_t countdown;  /* operations until the fault; 0: none is set */
  int64_t kind;       /* enum kind */
  int64_t classes;    /* enum class, which operations count */
  int64_t failing;    /* operations that go on failing */
  int64_t seed;       /* of what survives a power cut */
  int64_t seen;       /* operations so far */
  int64_t injected;   /* faults so far */
};

enum kind {
  NONE,
  KILL_BEFORE,
  KILL_AFTER,
  KILL_TORN,
  POWER_CUT,
  IO_ERROR,
  DISK_FULL,
  READ_ONLY,
  SHORT
};
enum class { WRITE = 1, SYNC = 2, READ = 4, CHANGE = 8 };

enum { FDS_MAX = 65536, FILES_MAX = 4096, SECTOR = 512 };

/* Writes that no fsync has made durable; beyond, the oldest count as durable. */
enum { UNSYNCED_MAX = 16384 };

struct file {
  dev_t device;
  ino_t inode;
  int fd; /* of our own: the program's may be closed when the power goes */
};

struct write {
  int file; /* its index; -1: durable */
  int64_t offset;
  int64_t old_size;
  size_t old_length, new_length;
  unsigned char *old_bytes, *new_bytes; /* new_bytes NULL: the file was cut off at `offset` */
};

static struct control *control;
static struct file files[FILES_MAX];
static int file_count;
static int fd_files[FDS_MAX]; /* index + 1 */
static struct write writes[UNSYNCED_MAX];
static int write_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long sys_pread(int fd, void *to, size_t n, int64_t at) {
  return syscall(SYS_pread64, fd, to, n, at);
}
static long sys_pwrite(int fd, const void *from, size_t n, int64_t at) {
  return syscall(SYS_pwrite64, fd, from, n, at);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TIDEGATE_FAULTS");
  if (path == NULL) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) control = page;
}

static int64_t get(int64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

static int file_of(int fd) {
  return fd >= 0 && fd < FDS_MAX ? fd_files[fd] - 1 : -1;
}

static int is_same(const struct file *file, const struct stat *info) {
  return file->inode == info->st_ino && file->device == info->st_dev;
}

static void follow(int fd, const char *path) {
  if (control == NULL || fd < 0 || fd >= FDS_MAX) return;
  fd_files[fd] = 0;
  const char *name = strstr(path, ".sqlite");
  if (name == NULL || strcmp(name, ".sqlite-shm") == 0) return;
  struct stat info;
  if (fstat(fd, &info) != 0) return;
  pthread_mutex_lock(&lock);
  int at = 0;
  while (at < file_count && !is_same(&files[at], &info)) at++;
  if (at < FILES_MAX) {
    if (at == file_count) {
      /* Never closed: closing any descriptor of a file gives up the process's locks on it. */
      int own = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
      files[file_count++] = (struct file){info.st_dev, info.st_ino, own};
    }
    fd_files[fd] = at + 1;
  }
  pthread_mutex_unlock(&lock);
}

static uint64_t random_state;
static uint64_t random_below(uint64_t limit) {
  random_state += 0x9e3779b97f4a7c15u;
  uint64_t z = random_state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return limit == 0 ? 0 : (z ^ (z >> 31)) % limit;
}

static void drop(struct write *it) {
  free(it->old_bytes);
  free(it->new_bytes);
  it->old_bytes = it->new_bytes = NULL;
  it->file = -1;
}

static void forget_synced(int file) {
  int kept = 0;
  for (int i = 0; i < write_count; i++) {
    if (writes[i].file == file) drop(&writes[i]);
    if (writes[i].file >= 0) writes[kept++] = writes[i];
  }
  write_count = kept;
}

/* Remembers what a write, or a cut (bytes NULL), is about to take away. */
static void remember(int file, const void *bytes, size_t length, int64_t offset) {
  if (write_count == UNSYNCED_MAX) {
    drop(&writes[0]);
    memmove(writes, writes + 1, sizeof(writes[0]) * --write_count);
  }
  struct stat info;
  int fd = files[file].fd;
  if (fstat(fd, &info) != 0) return;
  int64_t covered = info.st_size - offset;
  if (bytes != NULL && covered > (int64_t)length) covered = (int64_t)length;
  size_t old_length = covered > 0 ? (size_t)covered : 0;
  struct write it = {file, offset, info.st_size, old_length, length, malloc(old_length + 1), NULL};
  if (bytes != NULL) {
    it.new_bytes = malloc(length + 1);
    if (it.new_bytes != NULL) memcpy(it.new_bytes, bytes, length);
  }
  if (it.old_bytes == NULL || (bytes != NULL && it.new_bytes == NULL)) _exit(70);
  if (old_length > 0) sys_pread(fd, it.old_bytes, old_length, offset);
  writes[write_count++] = it;
}

static void take_back(void) {
  for (int i = write_count - 1; i >= 0; i--) {
    int fd = files[writes[i].file].fd;
    if (writes[i].old_length > 0)
      sys_pwrite(fd, writes[i].old_bytes, writes[i].old_length, writes[i].offset);
    syscall(SYS_ftruncate, fd, writes[i].old_size);
  }
}

static void write_again(struct write *it, size_t length) {
  int fd = files[it->file].fd;
  if (it->new_bytes == NULL) syscall(SYS_ftruncate, fd, it->offset);
  else sys_pwrite(fd, it->new_bytes, length, it->offset);
}

/* A disk may have written nothing, a beginning, or any of it, sectors of the last ones alone. */
static void cut_power(void) {
  random_state = (uint64_t)get(&control->seed);
  take_back();
  int way = (int)random_below(3);
  int beginning = (int)random_below((uint64_t)write_count + 1);
  for (int i = 0; i < write_count; i++) {
    struct write *it = &writes[i];
    int is_kept = way == 1 ? i < beginning : way == 2 && random_below(2) == 0;
    int is_torn = way == 1 ? i == beginning : way == 2 && random_below(4) == 0;
    size_t sectors = it->new_length / SECTOR;
    if (is_kept) write_again(it, it->new_length);
    else if (is_torn && it->new_bytes != NULL)
      write_again(it, SECTOR * random_below(sectors + 1));
  }
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What is to become of an operation. Called with the lock held. */
static enum kind fate(enum class class) {
  __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
  if ((get(&control->classes) & class) == 0) return NONE;
  if (get(&control->failing) > 0) {
    __atomic_sub_fetch(&control->failing, 1, __ATOMIC_SEQ_CST);
    return (enum kind)get(&control->kind);
  }
  if (get(&control->countdown) <= 0) return NONE;
  if (__atomic_sub_fetch(&control->countdown, 1, __ATOMIC_SEQ_CST) != 0) return NONE;
  __atomic_add_fetch(&control->injected, 1, __ATOMIC_SEQ_CST);
  return (enum kind)get(&control->kind);
}

/* The error that an operation gives under a fault; 0: none. */
static int error_of(enum kind kind, enum class class) {
  if (kind == IO_ERROR) return EIO;
  if (kind == DISK_FULL) return class == WRITE ? ENOSPC : 0;
  if (kind == READ_ONLY) return class == WRITE || class == CHANGE ? EROFS : 0;
  return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  int file = control == NULL ? -1 : file_of(fd);
  if (file < 0) return sys_pwrite(fd, bytes, length, offset);
  pthread_mutex_lock(&lock);
  enum kind kind = fate(WRITE);
  int error = error_of(kind, WRITE);
  ssize_t written = -1;
  if (kind == KILL_BEFORE) die();
  if (error == 0) {
    size_t part = kind == KILL_TORN || kind == SHORT ? (length + 1) / 2 : length;
    remember(file, bytes, part, offset);
    written = sys_pwrite(fd, bytes, part, offset);
  }
  if (kind == KILL_AFTER || kind == KILL_TORN) die();
  if (kind == POWER_CUT) {
    cut_power();
    die();
  }
  pthread_mutex_unlock(&lock);
  if (error != 0) errno = error;
  return written;
}

static int sync_file(int fd, long number) {
  int file = control == NULL ? -1 : file_of(fd);
  if (file < 0) return (int)syscall(number, fd);
  pthread_mutex_lock(&lock);
  enum kind kind = fate(SYNC);
  int error = error_of(kind, SYNC);
  if (kind == KILL_BEFORE || kind == KILL_TORN) die();
  if (kind == POWER_CUT) {
    cut_power();
    die();
  }
  int result = -1;
  /* The machine stays up, so nothing is lost by leaving the real one out; it is much faster. */
  if (error == 0) {
    forget_synced(file);
    result = 0;
  }
  if (kind == KILL_AFTER) die();
  pthread_mutex_unlock(&lock);
  if (error != 0) errno = error;
  return result;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int ftruncate64(int fd, off64_t length) {
  int file = control == NULL ? -1 : file_of(fd);
  if (file < 0) return (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&lock);
  enum kind kind = fate(CHANGE);
  int error = error_of(kind, CHANGE);
  if (kind == KILL_BEFORE) die();
  int result = -1;
  if (error == 0) {
    remember(file, NULL, 0, length);
    result = (int)syscall(SYS_ftruncate, fd, length);
  }
  if (kind == POWER_CUT) cut_power();
  if (kind == KILL_AFTER || kind == KILL_TORN || kind == POWER_CUT) die();
  pthread_mutex_unlock(&lock);
  if (error != 0) errno = error;
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

ssize_t pread64(int fd, void *to, size_t length, off64_t offset) {
  if (control == NULL || file_of(fd) < 0) return sys_pread(fd, to, length, offset);
  pthread_mutex_lock(&lock);
  enum kind kind = fate(READ);
  pthread_mutex_unlock(&lock);
  if (kind == KILL_BEFORE || kind == KILL_AFTER || kind == KILL_TORN) die();
  if (error_of(kind, READ) != 0) {
    errno = EIO;
    return -1;
  }
  return sys_pread(fd, to, length, offset);
}

static int open_file(int directory, const char *path, int flags, mode_t mode) {
  int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
  if (fd >= 0 && (flags & (O_RDWR | O_WRONLY))) follow(fd, path);
  return fd;
}

#define OPEN(flags)                                   \
  va_list rest;                                       \
  va_start(rest, flags);                              \
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
  va_end(rest)

int openat64(int directory, const char *path, int flags, ...) {
  OPEN(flags);
  return open_file(directory, path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
  OPEN(flags);
  return open_file(directory, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  OPEN(flags);
  return open_file(AT_FDCWD, path, flags, mode);
}
int open(const char *path, int flags, ...) {
  OPEN(flags);
  return open_file(AT_FDCWD, path, flags, mode);
}

int close(int fd) {
  if (control != NULL && fd >= 0 && fd < FDS_MAX) fd_files[fd] = 0;
  return (int)syscall(SYS_close, fd);
}

static void shift(struct timespec *time) {
  int64_t all = time->tv_nsec + get(&control->clock_offset_ns);
  int64_t seconds = all / 1000000000, rest = all % 1000000000;
  if (rest < 0) {
    rest += 1000000000;
    seconds -= 1;
  }
  time->tv_sec += seconds;
  time->tv_nsec = rest;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, time);
  int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && is_wall && control != NULL) shift(time);
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  if (result == 0) *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != NULL) *at = now.tv_sec;
  return now.tv_sec;
}
