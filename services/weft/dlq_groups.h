//  dlq_groups.h - dead letters counted by stage, reason and schema. One thread.

#ifndef DLQ_GROUPS_H_INCLUDED
#define DLQ_GROUPS_H_INCLUDED

#include "weft_dlq.h"

struct json_t;

//  A weft_dlq_each_t whose `arg` is a JSON array of groups, which it grows:
//
//     stage, code, schema   what a group has in common (code is the error's name)
//     count                 letters in it
//     bytes                 how many of them have kept their bytes
//     first, last           times of the oldest and the newest, UTC
//     reason, key           of the newest: reasons may quote values
void dlq_group (void *arg,
                const char *stage,
                weft_str_t key,
                const weft_dead_v1_t *dead);

//  Prints the groups, the largest first.
void dlq_groups_print (struct json_t *groups, FILE *out);

#endif
