/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/event: the ring that every observable moment goes into.  A full ring
 * keeps what it has and counts what it loses.
 */
#ifndef HW_EVENT_H
#define HW_EVENT_H

#include "hw.h"

/* A slot with its arguments zeroed, or NULL when the ring is full. */
static inline struct pyexit_event *ppc_event_new(struct ppc_events *events, uint32_t kind, uint32_t detail)
{
	struct pyexit_event *event;
	uint32_t at;

	if (events->used == events->capacity) {
		events->lost++;
		return NULL;
	}
	at = events->first + events->used;	/* both at most 2^20 */
	event = &events->ring[at < events->capacity ? at : at - events->capacity];
	events->used++;
	*event = (struct pyexit_event){ .kind = kind, .detail = detail };
	return event;
}

static inline void ppc_event(struct ppc_events *events, uint32_t kind, uint32_t detail, uint64_t arg0, uint64_t arg1,
			     uint64_t arg2)
{
	struct pyexit_event *event = ppc_event_new(events, kind, detail);

	if (!event)
		return;
	event->arg[0] = arg0;
	event->arg[1] = arg1;
	event->arg[2] = arg2;
}

#endif
