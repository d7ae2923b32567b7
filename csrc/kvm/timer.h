/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/timer: the guest's decrementer and watchdog (exit 8; covers booke.c, emulate.c). */
#ifndef KVM_TIMER_H
#define KVM_TIMER_H

#include "vcpu.h"

/* TCR (exit 1.8) */
#define TCR_WP_SHIFT 30
#define TCR_WP_MASK 0xc0000000u
#define TCR_WPEXT_SHIFT 15
#define TCR_WPEXT_MASK 0x001e0000u
#define TCR_WRC_MASK 0x30000000u
#define TCR_WIE 0x08000000u
#define TCR_DIE 0x04000000u
#define TCR_ARE 0x00400000u

/* TSR (exit 1.8) */
#define TSR_ENW 0x80000000u
#define TSR_WIS 0x40000000u
#define TSR_DIS 0x08000000u

/* A watchdog further away than this has no timer (exit 8.2) */
#define NEXT_TIMER_MAX_DELTA 0x3fffffffu

static void kvmppc_set_tcr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value);
static void kvmppc_set_tsr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value);
static void kvmppc_set_tsr_bits(struct pyexit_machine *machine, uint32_t vcpu, uint32_t bits);
static void kvmppc_clr_tsr_bits(struct pyexit_machine *machine, uint32_t vcpu, uint32_t bits);

/* The pending bits of decrementer and watchdog follow TCR and TSR (exit 8.4). */
static void update_timer_ints(struct pyexit_machine *machine, uint32_t vcpu);

static uint64_t watchdog_next_timeout(const struct pyexit_machine *machine, uint32_t vcpu);
static void arm_next_watchdog(struct pyexit_machine *machine, uint32_t vcpu);

/* arch.dec was written: its timer starts anew. */
static void kvmppc_emulate_dec(struct pyexit_machine *machine, uint32_t vcpu);
static uint32_t kvmppc_get_dec(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t tb);

/* The timers' expiry. */
static void kvmppc_watchdog_func(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_decrementer_func(struct pyexit_machine *machine, uint32_t vcpu);

/* Time has passed: fire the timers that are due. */
static void kvmppc_run_timers(struct pyexit_machine *machine);

#endif
