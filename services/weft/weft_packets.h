//  weft_packets.h - what peek and lightcurve share: every packet under a list
//  of paths, decoded or refused, in input order. One thread.

#ifndef WEFT_PACKETS_H_INCLUDED
#define WEFT_PACKETS_H_INCLUDED

#include "weft_decoder.h"
#include "weft_input.h"

struct json_t;

//  One packet: `path` is the file's, with #n where it holds several. Not 0 ends
//  the walk with that error.
typedef int (weft_packets_each_t) (void *arg,
                                   const weft_message_t *message,
                                   const weft_decoded_t *item,
                                   const char *path);

//  Parses [--schemas DIR] PATH... (or one topic, or -), then calls `each` for every packet. Returns
//  the exit code: 0, 1 failed, 2 usage, 3 if some were refused.
int weft_packets (int argc,
                  char *argv[],
                  const char *help,
                  weft_packets_each_t *each,
                  void *arg);

//  Prints {"path":..., "refused":...} in a line.
void weft_packets_refuse (const char *path, const char *why);

//  Prints a JSON value in a line and drops the reference.
int weft_packets_print (struct json_t *line);

//  Adds "filter" beside every numeric "band" of an object with points.
void weft_packets_name_bands (struct json_t *object);

#endif
