//  weft_cluster_parts.h - what weft_cluster.c and weft_cluster_run.c share. The
//  connection's thread.

#ifndef WEFT_CLUSTER_PARTS_H_INCLUDED
#define WEFT_CLUSTER_PARTS_H_INCLUDED

#include "weft_cluster.h"
#include "weft_slot.h"

enum { WEFT_NODES_MOST = 256, WEFT_NODE_NONE = -1 };

typedef struct {
    char host[WEFT_SLOT_HOST_MOST];
    int port;
    weft_redis_t *redis;  //  its connection; NULL: the place is free
    bool seed;            //  by configuration: its place is never given away
    bool master;          //  has slots, by the map or by a MOVED since
    bool wanted;          //  by the map that is just being read
    bool followed;        //  the map names replicas that are well
    bool behind;          //  none of them has what was written last
    unsigned probe;       //  where the search for a key that it has begins
    bool scriptless;      //  said NOSCRIPT in this round
    size_t awaited;       //  replies, in this round
} weft_node_t;

//  One command of a run.
typedef struct {
    const uint8_t *bytes;
    size_t size;
    int slot;  //  or WEFT_SLOT_NONE
    int ask;   //  node to be asked once, or WEFT_NODE_NONE
    int to;    //  node of this round
    bool done;
} weft_cluster_item_t;

struct weft_cluster {
    weft_redis_t *redis;  //  whose this is
    weft_node_t nodes[WEFT_NODES_MOST];
    int n_nodes;
    int16_t owner[WEFT_SLOTS];  //  node that has the slot, or WEFT_NODE_NONE
    int16_t next[WEFT_SLOTS];   //  of the map that is just being read
    bool mapped;                //  a map was read
    bool stale;                 //  it is to be read again
    int64_t read_ms;            //  when it was
    int turn;                   //  who is asked first
    int64_t kept_ms;            //  what was acknowledged before has replicas
    bool lost;  //  a master was replaced, and of what it acknowledged
                //  since then the journal has not everything
    weft_redis_counts_t counts;
    weft_cluster_item_t *items;
    size_t room;
};

//  The node at a place, made if it is new; WEFT_NODE_NONE without room.
int weft_cluster_node (weft_cluster_t *self, const char *host, int port);

//  Its connection is gone, and with it perhaps what it acknowledged last.
void
weft_cluster_lose (weft_cluster_t *self, weft_node_t *node, const char *why);

//  Reads the map if there is none or it is stale. WEFT_EDOWN if there is none.
WEFT_CHECK int weft_cluster_map (weft_cluster_t *self);

#endif
