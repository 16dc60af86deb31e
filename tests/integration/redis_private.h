//  redis_private.h - a Redis of a test's own, on a Unix socket in a temporary
//  folder, with the append-only file on. Started, killed and restarted by the
//  test; stopped by its process id.
//
//     static redis_private_t redis;
//     redis_private_start (&redis);         exits 77 without redis-server
//     ... redis.address ...                 "unix:/tmp/weft-redis-x/s"
//     redis_private_kill (&redis);          kill -9
//     redis_private_restart (&redis);       the same data
//     redis_private_stop (&redis);          and the folder goes
//
//  What it acknowledged is in its file when it is killed, unless the test asks
//  for `fsync` "everysec", as in production: that may lose a little, and it may
//  stand still for seconds on a busy disk.

#ifndef REDIS_PRIVATE_H_INCLUDED
#define REDIS_PRIVATE_H_INCLUDED

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    pid_t pid;
    char folder[64];
    char socket[96];
    char address[112];
    const char *fsync;  //  appendfsync; NULL: "no"
} redis_private_t;

static inline void
redis_private_fail (const char *what)
{
    fprintf (stderr, "redis_private: %s: %s\n", what, strerror (errno));
    exit (1);
}

//  Is it installed at all? Tests are skipped only if it is not.
static inline int
redis_private_installed (void)
{
    const char *const places[] = { "/usr/bin/redis-server",
                                   "/usr/local/bin/redis-server",
                                   "/bin/redis-server",
                                   "/opt/homebrew/bin/redis-server" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access (places[i], X_OK) == 0)
            return 1;
    return 0;
}

//  Does it answer? While it reads its file, it only says that it does.
static inline int
redis_private_answers (const redis_private_t *self)
{
    char answer[8] = "";
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf (name.sun_path, sizeof name.sun_path, "%s", self->socket);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    int ok = fd >= 0 && !connect (fd, (void *)&name, sizeof name) &&
             write (fd, "PING\r\n", 6) == 6 && read (fd, answer, 5) == 5 &&
             !memcmp (answer, "+PONG", 5);
    if (fd >= 0)
        close (fd);
    return ok;
}

static inline void
redis_private_launch (redis_private_t *self, char *policy)
{
    self->pid = fork ();
    if (self->pid < 0)
        redis_private_fail ("fork");
    if (self->pid == 0) {
        char fsync[16];
        snprintf (fsync, sizeof fsync, "%s", self->fsync ? self->fsync : "no");
        int null = open ("/dev/null", O_RDWR);
        dup2 (null, 0);
        dup2 (null, 1);
        dup2 (null, 2);
        char *argv[] = { "redis-server",
                         "--port",
                         "0",
                         "--unixsocket",
                         self->socket,
                         "--dir",
                         self->folder,
                         "--appendonly",
                         "yes",
                         "--appendfsync",
                         fsync,
                         "--save",
                         "",
                         "--maxmemory-policy",
                         policy,
                         "--daemonize",
                         "no",
                         NULL };
        execvp (argv[0], argv);
        _exit (127);
    }
    for (int i = 0; !redis_private_answers (self); i++) {
        if (i == 20000)
            redis_private_fail ("redis-server does not answer");
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        if (waitpid (self->pid, NULL, WNOHANG) == self->pid)
            redis_private_fail ("redis-server ended");
    }
}

static inline void
redis_private_start (redis_private_t *self)
{
    *self = (redis_private_t){ .fsync = self->fsync };
    if (!redis_private_installed ()) {
        fprintf (stderr, "SKIP: redis-server is not installed\n");
        exit (77);
    }
    snprintf (self->folder, sizeof self->folder, "/tmp/weft-redis-XXXXXX");
    if (!mkdtemp (self->folder))
        redis_private_fail ("mkdtemp");
    snprintf (self->socket, sizeof self->socket, "%s/s", self->folder);
    snprintf (self->address, sizeof self->address, "unix:%s", self->socket);
    redis_private_launch (self, "noeviction");
}

static inline void
redis_private_end (redis_private_t *self, int signal_number)
{
    if (self->pid > 0) {
        kill (self->pid, signal_number);
        waitpid (self->pid, NULL, 0);
    }
    self->pid = 0;
}

//  kill -9: what was acknowledged must be in the append-only file.
static inline void
redis_private_kill (redis_private_t *self)
{
    redis_private_end (self, SIGKILL);
}

static inline void
redis_private_restart (redis_private_t *self)
{
    redis_private_end (self, SIGKILL);
    unlink (self->socket);
    redis_private_launch (self, "noeviction");
}

//  Removes the files of a folder and of the folders in it (one level).
static inline void
redis_private_remove (const char *folder, int depth)
{
    DIR *dir = opendir (folder);
    for (struct dirent *e; dir && (e = readdir (dir));) {
        char path[1024];
        snprintf (path, sizeof path, "%.700s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && unlink (path) != 0 && depth > 0)
            redis_private_remove (path, depth - 1);
    }
    if (dir)
        closedir (dir);
    rmdir (folder);
}

//  Restarts it with nothing in it.
static inline void
redis_private_restart_empty (redis_private_t *self)
{
    redis_private_end (self, SIGKILL);
    redis_private_remove (self->folder, 1);
    if (mkdir (self->folder, 0700) != 0)
        redis_private_fail ("mkdir");
    redis_private_launch (self, "noeviction");
}

static inline void
redis_private_stop (redis_private_t *self)
{
    redis_private_end (self, SIGTERM);
    redis_private_remove (self->folder, 1);
}

#endif
