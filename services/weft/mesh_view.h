//  mesh_view.h - the mesh as the registry knows it, stage by stage. One thread.

#ifndef MESH_VIEW_H_INCLUDED
#define MESH_VIEW_H_INCLUDED

#include "weft_redis.h"

struct json_t;

//  Reads the live entries of the registry (weft_registry_store.h) into *out,
//  *returns new*: an array of stages, each after those that feed it, with
//
//     stage       its name
//     replicas    how many are alive
//     ready       how many of them are ready
//     rate        alerts settled per second, of all replicas
//     in_flight   alerts they hold
//     window      alerts they may hold
//     outputs     names of the stages that follow
//     versions    what their functions are (models, feature sets)
//     processes   the registry's entries
//
//  WEFT_EDOWN: no Redis.
WEFT_CHECK int mesh_view_read (weft_redis_t *redis, struct json_t **out);

//  Prints the stages, a line each, and why replicas are not ready.
void mesh_view_print (const struct json_t *stages, FILE *out);

#endif
