//  cluster_private.h - a Redis Cluster of a test's own: three masters, and if it
//  asks for them three replicas, on free ports of the loopback interface, in a
//  temporary folder, with the append-only file on.
//
//     static cluster_private_t cluster;
//     cluster_private_start (&cluster, 6);     exits 77 without redis-server
//     ... cluster.address ...                  "cluster:127.0.0.1:a,..."
//     cluster_private_kill (&cluster, node);   kill -9
//     cluster_private_restart (&cluster, node);
//     cluster_private_stop (&cluster);         and the folder goes
//
//  Node i < 3 has the i-th third of the slots; node i + 3 is its replica.

#ifndef CLUSTER_PRIVATE_H_INCLUDED
#define CLUSTER_PRIVATE_H_INCLUDED

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/file.h>

#include "redis_private.h"

enum { CLUSTER_MASTERS = 3, CLUSTER_NODES_MOST = 6 };

typedef struct {
    pid_t pid;
    int port, lock;
    int tls_port, tls_lock;  //  0: none
    char folder[96];
    char id[48];
} cluster_node_t;

typedef struct {
    int n;
    const char *tls;  //  folder of ca.pem, server.pem, server.key; NULL: plain
    char folder[64];
    char address[96];
    cluster_node_t nodes[CLUSTER_NODES_MOST];
} cluster_private_t;

//  A port that nobody listens on, and 10,000 above it the one of the bus. Held
//  by a lock file, as by ports.py.
static inline int
cluster_private_bindable (int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET,
                                .sin_port = htons ((uint16_t)port),
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    int ok = fd >= 0 && bind (fd, (void *)&name, sizeof name) == 0;
    if (fd >= 0)
        close (fd);
    return ok;
}

static inline void
cluster_private_take_port (int *taken, int *held)
{
    char path[128];
    snprintf (path, sizeof path, "/tmp/weft-ports-%d", (int)getuid ());
    if (mkdir (path, 0700) != 0 && errno != EEXIST)
        redis_private_fail ("mkdir");
    static unsigned seed;
    seed += (unsigned)getpid () * 2654435761u + (unsigned)time (NULL);
    for (int i = 0; i < 10000; i++) {
        seed = seed * 1103515245u + 12345u;
        //  The bus, 10,000 above, is out of the way of all other tests and of
        //  outgoing connections.
        int port = 22000 + (int)(seed >> 8) % 768;
        snprintf (path, sizeof path, "/tmp/weft-ports-%d/%d", (int)getuid (),
                  port);
        int lock = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        if (lock >= 0 && flock (lock, LOCK_EX | LOCK_NB) == 0 &&
            cluster_private_bindable (port) &&
            cluster_private_bindable (port + 10000)) {
            *taken = port;
            *held = lock;
            return;
        }
        if (lock >= 0)
            close (lock);
    }
    redis_private_fail ("no free port");
}

//  One command of words without blanks to a node; the reply's bytes as far as
//  they fit, without a time-out shorter than a minute. 0 if it is not there.
static inline int
cluster_private_ask (const cluster_node_t *node,
                     const char *command,
                     char *reply,
                     size_t room)
{
    struct sockaddr_in name = { .sin_family = AF_INET,
                                .sin_port = htons ((uint16_t)node->port),
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = 60 };
    char line[512];
    size_t size = (size_t)snprintf (line, sizeof line, "%s\r\n", command),
           n = 0;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int ok = !connect (fd, (void *)&name, sizeof name) &&
             write (fd, line, size) == (ssize_t)size;
    //  A bulk string says its length; everything else asked here is a line.
    size_t wanted = 0;
    while (ok && n + 1 < room && (wanted == 0 || n < wanted)) {
        ssize_t got = read (fd, reply + n, room - 1 - n);
        if (got <= 0) {
            ok = 0;
            break;
        }
        n += (size_t)got;
        reply[n] = '\0';
        const char *end = strstr (reply, "\r\n");
        if (end)
            wanted = reply[0] == '$' ? (size_t)(end + 4 - reply) +
                                           strtoul (reply + 1, NULL, 10)
                                     : (size_t)(end + 2 - reply);
    }
    reply[n] = '\0';
    close (fd);
    return ok;
}

static inline void
cluster_private_launch (cluster_node_t *node, bool in_cluster, const char *tls)
{
    char port[16], reply[64], tls_port[16], ca[128], pem[128], key[128];
    snprintf (port, sizeof port, "%d", node->port);
    snprintf (tls_port, sizeof tls_port, "%d", node->tls_port);
    snprintf (ca, sizeof ca, "%s/ca.pem", tls ? tls : "");
    snprintf (pem, sizeof pem, "%s/server.pem", tls ? tls : "");
    snprintf (key, sizeof key, "%s/server.key", tls ? tls : "");
    node->pid = fork ();
    if (node->pid < 0)
        redis_private_fail ("fork");
    if (node->pid == 0) {
        int null = open ("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2 (null, fd);
        const char *argv[] = { "redis-server",
                               "--port",
                               port,
                               "--bind",
                               "127.0.0.1",
                               "--dir",
                               node->folder,
                               "--cluster-enabled",
                               in_cluster ? "yes" : "no",
                               "--cluster-node-timeout",
                               "2000",
                               "--appendonly",
                               "yes",
                               "--appendfsync",
                               "no",
                               "--save",
                               "",
                               "--repl-diskless-sync-delay",
                               "0",
                               tls ? "--tls-port" : NULL,
                               tls_port,
                               "--tls-ca-cert-file",
                               ca,
                               "--tls-cert-file",
                               pem,
                               "--tls-key-file",
                               key,
                               "--tls-auth-clients",
                               "optional",
                               "--tls-cluster",
                               in_cluster ? "yes" : "no",
                               NULL };
        execvp (argv[0], (char *const *)argv);
        _exit (127);
    }
    for (int i = 0; !cluster_private_ask (node, "PING", reply, sizeof reply) ||
                    reply[0] != '+';
         i++) {
        if (i == 20000)
            redis_private_fail ("redis-server does not answer");
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        if (waitpid (node->pid, NULL, WNOHANG) == node->pid)
            redis_private_fail ("redis-server ended");
    }
}

//  A command that must be answered by +OK.
static inline void __attribute__ ((format (printf, 2, 3)))
cluster_private_must (const cluster_node_t *node, const char *format, ...)
{
    char command[256], reply[512];
    va_list ap;
    va_start (ap, format);
    vsnprintf (command, sizeof command, format, ap);
    va_end (ap);
    if (cluster_private_ask (node, command, reply, sizeof reply) &&
        reply[0] == '+')
        return;
    fprintf (stderr, "cluster_private: %s: %s\n", command, reply);
    exit (1);
}

//  Waits until `text` is in the reply of every node that runs.
static inline void
cluster_private_wait (const cluster_private_t *self,
                      const char *command,
                      const char *text)
{
    static char reply[65536];
    for (int i = 0; i < self->n; i++)
        for (int tries = 0;; tries++) {
            if (!self->nodes[i].pid)
                break;
            if (cluster_private_ask (&self->nodes[i], command, reply,
                                     sizeof reply) &&
                strstr (reply, text))
                break;
            if (tries == 12000) {
                fprintf (stderr, "cluster_private: %s has no %s\n", command,
                         text);
                exit (1);
            }
            nanosleep (&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        }
}

//  Replicas must have synced, or nobody takes over when a master dies.
static inline void
cluster_private_add_replicas (cluster_private_t *self)
{
    for (int i = CLUSTER_MASTERS; i < self->n; i++)
        cluster_private_must (&self->nodes[i], "CLUSTER REPLICATE %s",
                              self->nodes[i - CLUSTER_MASTERS].id);
    cluster_private_t replicas = *self;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        replicas.nodes[i].pid = 0;
    cluster_private_wait (&replicas, "INFO replication",
                          "master_link_status:up");
    char text[32];
    for (int i = CLUSTER_MASTERS; i < self->n; i++) {
        //  All have heard who replicates whom.
        snprintf (text, sizeof text, "slave %s",
                  self->nodes[i - CLUSTER_MASTERS].id);
        text[16] = '\0';
        cluster_private_wait (self, "CLUSTER NODES", text);
    }
}

//  Where clients go.
static inline int
cluster_private_port (const cluster_node_t *node)
{
    return node->tls_port ? node->tls_port : node->port;
}

static inline void
cluster_private_start (cluster_private_t *self, int n)
{
    *self = (cluster_private_t){ .n = n, .tls = self->tls };
    if (!redis_private_installed ()) {
        fprintf (stderr, "SKIP: redis-server is not installed\n");
        exit (77);
    }
    snprintf (self->folder, sizeof self->folder, "/tmp/weft-cluster-XXXXXX");
    if (!mkdtemp (self->folder))
        redis_private_fail ("mkdtemp");
    for (int i = 0; i < n; i++) {
        cluster_node_t *node = &self->nodes[i];
        char reply[128];
        cluster_private_take_port (&node->port, &node->lock);
        if (self->tls)
            cluster_private_take_port (&node->tls_port, &node->tls_lock);
        snprintf (node->folder, sizeof node->folder, "%s/%d", self->folder, i);
        if (mkdir (node->folder, 0700) != 0)
            redis_private_fail ("mkdir");
        cluster_private_launch (node, true, self->tls);
        if (!cluster_private_ask (node, "CLUSTER MYID", reply, sizeof reply) ||
            sscanf (reply, "$40\r\n%40s", node->id) != 1)
            redis_private_fail ("CLUSTER MYID");
        cluster_private_must (node, "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        cluster_private_must (&self->nodes[i], "CLUSTER ADDSLOTSRANGE %d %d",
                              16384 * i / CLUSTER_MASTERS,
                              16384 * (i + 1) / CLUSTER_MASTERS - 1);
    for (int i = 1; i < n; i++)
        cluster_private_must (&self->nodes[i], "CLUSTER MEET 127.0.0.1 %d",
                              cluster_private_port (&self->nodes[0]));
    char nodes[32];
    snprintf (nodes, sizeof nodes, "cluster_known_nodes:%d", n);
    cluster_private_wait (self, "CLUSTER INFO", nodes);
    cluster_private_add_replicas (self);
    cluster_private_wait (self, "CLUSTER INFO", "cluster_state:ok");
    snprintf (self->address, sizeof self->address,
              "cluster:127.0.0.1:%d,127.0.0.1:%d",
              cluster_private_port (&self->nodes[0]),
              cluster_private_port (&self->nodes[1]));
}

static inline void
cluster_private_kill (cluster_private_t *self, int i)
{
    cluster_node_t *node = &self->nodes[i];
    if (node->pid > 0) {
        kill (node->pid, SIGKILL);
        waitpid (node->pid, NULL, 0);
    }
    node->pid = 0;
}

static inline void
cluster_private_restart (cluster_private_t *self, int i)
{
    cluster_private_kill (self, i);
    cluster_private_launch (&self->nodes[i], true, self->tls);
}

//  Forgets all data.
static inline void
cluster_private_empty (cluster_private_t *self)
{
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        cluster_private_must (&self->nodes[i], "FLUSHALL");
}

static inline void
cluster_private_stop (cluster_private_t *self)
{
    for (int i = 0; i < self->n; i++)
        cluster_private_kill (self, i);
    for (int i = 0; i < self->n; i++) {
        close (self->nodes[i].lock);
        if (self->nodes[i].tls_port)
            close (self->nodes[i].tls_lock);
    }
    redis_private_remove (self->folder, 2);
}

#endif
