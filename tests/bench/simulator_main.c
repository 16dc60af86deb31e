//  simulator_main - packets per second of processor time, by size of stamps.
//
//  Prints one JSON object a line, as bench.py reads them.

#include <time.h>

#include "sim.h"

static double
cpu_seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int
measure (const char *name, sim_stamps_t stamps, uint32_t alerts)
{
    sim_options_t options = sim_defaults;
    options.alerts = alerts;
    options.stamps = stamps;
    double start = cpu_seconds ();
    sim_t *sim = sim_new (&options);
    sim_packet_t packet;
    uint32_t n = 0;
    double bytes = 0;
    while (sim && sim_next (sim, &packet) == 0) {
        bytes += (double)packet.size;
        n++;
    }
    double seconds = cpu_seconds () - start;
    sim_destroy (&sim);
    if (n == 0)
        return 1;
    printf ("{\"name\": \"simulator, %s stamps, %.1f kB\", \"value\": %.1f, "
            "\"unit\": \"packets/s\", \"peer\": \"target\", "
            "\"peer_value\": 5000}\n",
            name, bytes / n / 1000, n / seconds);
    return 0;
}

int
main (void)
{
    return measure ("no", SIM_STAMPS_NONE, 20000) ||
           measure ("small", SIM_STAMPS_SMALL, 20000) ||
           measure ("full", SIM_STAMPS_FULL, 5000);
}
