//  sim_damage.h - packets that a reader must refuse.
//
//  Each is a good packet with one thing wrong. One thread at a time.

#ifndef WEFT_SIM_DAMAGE_H_INCLUDED
#define WEFT_SIM_DAMAGE_H_INCLUDED

#include "weft_buf.h"

#define SIM_DAMAGES 8

//  Damages a packet whose container header is `header` bytes long (0: it is a
//  framed datum), in way `which` of SIM_DAMAGES; returns what was done, static.
const char *sim_damage (weft_buf_t *packet, size_t header, uint32_t which);
//  The same text without the deed.
const char *sim_damage_text (uint32_t which, bool framed);

#endif
