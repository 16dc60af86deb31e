//  weft_training_process.h - starts `weft learn`. Loop's thread.

#ifndef WEFT_TRAINING_PROCESS_H_INCLUDED
#define WEFT_TRAINING_PROCESS_H_INCLUDED

#include <sys/types.h>

#include "weft_training.h"

//  Starts it for labels 1 to `labels`: with the memory cap, at low priority,
//  with no file of ours open but the standard ones, and killed when this
//  process ends. Returns its id, or -1 with errno.
pid_t weft_training_spawn (const weft_training_config_t *config,
                           uint64_t labels);

#endif
