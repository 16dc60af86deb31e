//  sim_season.h - the inside of a season, for the files that write it down.
//
//  Not for users of sim.h. One thread at a time.

#ifndef WEFT_SIM_SEASON_H_INCLUDED
#define WEFT_SIM_SEASON_H_INCLUDED

#include "sim.h"
#include "sim_damage.h"
#include "sim_lsst.h"
#include "sim_packet.h"

//  One distinct alert: a detection of an object.
typedef struct {
    double jd;
    uint32_t object;
    uint32_t at;  //  in the object's obs
} sim_alert_t;

//  One packet of the stream.
typedef struct {
    uint32_t alert;
    uint8_t kind;  //  sim_packet_kind_t
} sim_issue_t;

struct sim {
    sim_options_t options;
    sim_sky_t sky;
    sim_object_t *objects;
    uint32_t n_objects, room_objects;
    sim_alert_t *alerts;  //  in time order
    uint32_t n_alerts;
    sim_issue_t *issues;  //  in the order of the stream
    uint32_t n_issues;
    uint32_t next;
    uint32_t class_alerts[SIM_N_CLASSES], class_objects[SIM_N_CLASSES];
    uint32_t kinds[4];              //  packets so far
    uint32_t damages[SIM_DAMAGES];  //  malformed ones so far, by damage
    weft_buf_t schema, header, scratch, out;
    sim_stamper_t *stamper;
    sim_packet_maker_t *maker;
    sim_lsst_t *lsst;  //  NULL: ZTF's shape
};

//  The survey's number of an alert, and the text that names its object.
int64_t sim_alert_id (const sim_t *self, const sim_alert_t *alert);
const char *
sim_object_name (const sim_t *self, const sim_object_t *object, char text[32]);

//  Draws objects until there are enough alerts (sim_population.c), and puts
//  alerts and packets in order. WEFT_ENOMEM without memory.
WEFT_CHECK int sim_populate (sim_t *self);
WEFT_CHECK int sim_arrange (sim_t *self);

#endif
