//  replay_import.h - files and archives into a packet store, for a replay.

#ifndef REPLAY_IMPORT_H_INCLUDED
#define REPLAY_IMPORT_H_INCLUDED

#include "weft_base.h"

//  Copies every packet under these paths that decodes into a packet store at
//  `folder`, which must not be there or be empty; when it was observed is when
//  it came. Says what was left out. Returns an exit code, 0 if it is done.
int replay_import (const char *folder,
                   const char *schemas,
                   int n_paths,
                   char *paths[]);

#endif
