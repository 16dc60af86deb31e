//  weft_mesh.h - the ZeroMQ context of a process, and waiting for its sockets.
//
//  Libzmq is seen in this folder only. The context may be shared by threads,
//  sockets belong to the thread that made them: the stage's loop. Never fork
//  after weft_mesh_new (posix_spawn is fine).

#ifndef WEFT_MESH_H_INCLUDED
#define WEFT_MESH_H_INCLUDED

#include "weft_gate.h"

typedef struct weft_mesh weft_mesh_t;

//  What every socket is made with. Zeros are the defaults.
typedef struct {
    uint32_t largest;   //  bytes of one frame, MAXMSGSIZE; 0: 64 MiB
    int io_threads;     //  0: 1, enough below 1 GB/s
    weft_keys_t *keys;  //  NULL: all links are plaintext. One more reference.
} weft_mesh_config_t;

//  Returns new: a context, NULL without memory.
WEFT_NEW weft_mesh_t *weft_mesh_new (const weft_mesh_config_t *config);

//  All sockets must be destroyed before. What they had not sent is dropped.
void weft_mesh_destroy (weft_mesh_t **self_p);

//  The context and the largest frame, for this folder's files.
void *weft_mesh_context (const weft_mesh_t *self);
uint32_t weft_mesh_largest (const weft_mesh_t *self);

//  The keys of now (borrowed until the next renew) and the gate; NULL: plaintext.
weft_keys_t *weft_mesh_keys (const weft_mesh_t *self);
weft_gate_t *weft_mesh_gate (const weft_mesh_t *self);

//  Other keys: the gate knows them at once, sockets that are made from now on
//  have them. A mesh that was made without keys stays plaintext.
void weft_mesh_renew_keys (weft_mesh_t *self, weft_keys_t *keys);

//  The options of every socket of ours (FACTS: libzmq): LINGER 0, MAXMSGSIZE,
//  ZMTP heartbeats 500/1500 ms, short handshakes, calm reconnects, IPv6 for an
//  address that has it. WEFT_EIO if libzmq refuses one.
WEFT_CHECK int
weft_mesh_prepare (const weft_mesh_t *self, void *socket, const char *address);

//  One thing to wait for: a socket, or a file descriptor if it is NULL.
typedef struct {
    void *socket;
    int fd;
    bool wants_write;  //  fd only: also wait until it can be written
    bool ready;        //  out: readable (or writable, or at its end)
} weft_poll_item_t;

enum { WEFT_POLL_MOST = 128 };

//  Waits until something is ready, at most `timeout_ms` (-1: for ever). Returns
//  how many are; interruption by a signal counts as none.
int weft_poll (weft_poll_item_t *items, size_t n, int timeout_ms);

#endif
