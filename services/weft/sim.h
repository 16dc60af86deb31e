//  sim.h - a season of simulated alerts, packet by packet.
//
//  The whole population is drawn when the season is made; packets then come
//  in the order in which a survey would issue them, in the survey's own shape:
//  ZTF's a complete Avro object container file, LSST's one framed datum. The same options give the
//  same bytes on any machine. One thread at a time.

#ifndef WEFT_SIM_H_INCLUDED
#define WEFT_SIM_H_INCLUDED

#include "weft_base.h"

#define SIM_ALERTS_MOST 2000000  //  distinct alerts of one season
#define SIM_NIGHTS_MOST 1500

typedef enum {
    SIM_STAMPS_NONE,
    SIM_STAMPS_SMALL,  //  15 x 15 pixels
    SIM_STAMPS_FULL,   //  63 x 63 pixels, as the survey's
} sim_stamps_t;

typedef enum {
    SIM_ZTF,   //  object container files, schema 4.02
    SIM_LSST,  //  Confluent-framed, schema 11.0
} sim_survey_t;

typedef struct {
    uint64_t seed;
    uint32_t alerts;     //  distinct alerts
    uint32_t nights;     //  length of the season
    uint32_t malformed;  //  damaged packets, on top
    double duplicates;   //  share that comes again, byte for byte
    double reissued;     //  share that comes again with other values
    sim_stamps_t stamps;
    sim_survey_t survey;  //  whose packets they look like
} sim_options_t;

//  What a user gets who says nothing.
extern const sim_options_t sim_defaults;

typedef enum {
    SIM_PACKET_FRESH,
    SIM_PACKET_DUPLICATE,
    SIM_PACKET_REISSUED,
    SIM_PACKET_MALFORMED,
} sim_packet_kind_t;

typedef struct {
    const uint8_t *data;
    size_t size;
    sim_packet_kind_t kind;
    int32_t night;       //  the survey's night number
    uint32_t position;   //  counts packets, from 0
    uint32_t alert;      //  row of truth; malformed: that it was made from
    int64_t alert_id;    //  candid, or diaSourceId
    const char *damage;  //  malformed: what is wrong, else NULL
} sim_packet_t;

typedef struct sim sim_t;

//  Returns new: a season, its population drawn; NULL without memory or with
//  options out of range.
WEFT_NEW sim_t *sim_new (const sim_options_t *options);

void sim_destroy (sim_t **self_p);

//  Makes the next packet; its bytes are borrowed until the next call.
//  WEFT_ENOENT after the last.
WEFT_CHECK int sim_next (sim_t *self, sim_packet_t *packet);

//  Packets that the season has, of all kinds.
uint32_t sim_packets (const sim_t *self);

//  The survey's number of the season's last night with an alert.
int32_t sim_last_night (const sim_t *self);

//  The writer schema of the packets as JSON. Borrowed from the season.
const char *sim_schema (const sim_t *self);

//  Tables as CSV: the true class and parameters of every distinct alert, in
//  order; and what a catalogue knows at and around the objects' places.
//  WEFT_EIO if the file does not take them.
WEFT_CHECK int sim_write_truth (const sim_t *self, FILE *file);
WEFT_CHECK int sim_write_catalog (const sim_t *self, FILE *file);
//  Counts per class and kind of packet as JSON; best after the last packet.
WEFT_CHECK int sim_write_summary (const sim_t *self, FILE *file);

#endif
