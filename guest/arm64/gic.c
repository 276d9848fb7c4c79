/* SPDX-License-Identifier: MIT */
#include "gic.h"
#include "arm64.h"

enum { GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100, GICD_ICENABLER = 0x180 };
enum { GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xc00, GICD_IROUTER = 0x6000 };
enum { CTLR_GROUPS = 3, CTLR_ARE = 0x10 };
enum { GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_IAR = 0x0c, GICC_EOIR = 0x10 };
enum { GICR_TYPER = 0x008, GICR_WAKER = 0x014, GICR_SGI_FRAME = 0x10000, GICR_FRAMES = 0x20000 };
enum { GICR_VLPI_FRAMES = 0x40000 };
enum { TYPER_VLPIS = 2, TYPER_LAST = 0x10, WAKER_SLEEP = 2, WAKER_ASLEEP = 4 };

#define PRIORITY      0xa0u
#define PRIORITY_MASK 0xf0u
#define AFFINITY      UINT64_C(0xff00ffffff)
#define LOOKS_MAX     1000000u
#define SPI_FIRST     32u
#define INTID_SPECIAL 1020u

#define ICC_SRE     "S3_0_C12_C12_5"
#define ICC_PMR     "S3_0_C4_C6_0"
#define ICC_IGRPEN1 "S3_0_C12_C12_7"
#define ICC_IAR1    "S3_0_C12_C12_0"
#define ICC_EOIR1   "S3_0_C12_C12_1"

static const struct tree *tree;
static uint32_t n_intids;

static void write(uint32_t offset, uint32_t value) { mmio_write32(tree->distributor + offset, value); }
static uint32_t read(uint32_t offset) { return mmio_read32(tree->distributor + offset); }

static bool wake(uint64_t frame)
{
    mmio_write32(frame + GICR_WAKER, mmio_read32(frame + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
    for (uint32_t i = 0; i < LOOKS_MAX; i++)
        if ((mmio_read32(frame + GICR_WAKER) & WAKER_ASLEEP) == 0)
            return true;
    return false;
}

/* This vCPU's frames have its affinity in them; 0: none has. */
static uint64_t own_frames(void)
{
    uint64_t mpidr = ARM64_READ("mpidr_el1"), bytes = GICR_FRAMES, typer;
    uint32_t affinity = (uint32_t)(mpidr >> 8 & 0xff000000) | (mpidr & 0xffffff);

    for (uint64_t at = 0; at + GICR_FRAMES <= tree->redistributor_bytes; at += bytes) {
        typer = mmio_read64(tree->redistributor + at + GICR_TYPER);
        if ((uint32_t)(typer >> 32) == affinity)
            return tree->redistributor + at;
        bytes = (typer & TYPER_VLPIS) != 0 ? GICR_VLPI_FRAMES : GICR_FRAMES;
        if ((typer & TYPER_LAST) != 0)
            break;
    }
    return 0;
}

static bool begin_cpu_v3(void)
{
    uint64_t frames = own_frames();

    if (frames == 0 || !wake(frames))
        return false;
    ARM64_WRITE(ICC_SRE, ARM64_READ(ICC_SRE) | 1);
    ARM64_WRITE(ICC_PMR, PRIORITY_MASK);
    ARM64_WRITE(ICC_IGRPEN1, 1);
    return true;
}

static bool begin_cpu_v2(void)
{
    mmio_write32(tree->redistributor + GICC_PMR, PRIORITY_MASK);
    mmio_write32(tree->redistributor + GICC_CTLR, 1);
    return true;
}

bool gic_begin_cpu(void) { return tree->gic == TREE_GICV3 ? begin_cpu_v3() : begin_cpu_v2(); }

bool gic_begin(const struct tree *t)
{
    tree = t;
    if (t->gic == TREE_NO_GIC)
        return false;
    n_intids = 32 * ((read(GICD_TYPER) & 0x1f) + 1);
    write(GICD_CTLR, t->gic == TREE_GICV3 ? CTLR_GROUPS | CTLR_ARE : CTLR_GROUPS);
    return gic_begin_cpu();
}

void gic_enable_private(uint32_t intid)
{
    /* The same registers either way: a GICv2 has the first of the distributor's once for each vCPU. */
    uint64_t base = tree->gic == TREE_GICV3 ? own_frames() + GICR_SGI_FRAME : tree->distributor;

    mmio_write8(base + GICD_IPRIORITYR + intid, PRIORITY);
    if (tree->gic == TREE_GICV3)
        mmio_write32(base + GICD_IGROUPR, mmio_read32(base + GICD_IGROUPR) | 1u << intid);
    mmio_write32(base + GICD_ISENABLER, 1u << intid);
}

void gic_disable(uint32_t intid)
{
    if (intid >= SPI_FIRST && intid < n_intids)
        write(GICD_ICENABLER + intid / 32 * 4, 1u << intid % 32);
}

void gic_enable(uint32_t intid)
{
    uint32_t word = intid / 32 * 4;

    if (intid < SPI_FIRST || intid >= n_intids)
        return;
    mmio_write8(tree->distributor + GICD_IPRIORITYR + intid, PRIORITY);
    write(GICD_ICFGR + intid / 16 * 4, read(GICD_ICFGR + intid / 16 * 4) & ~(2u << intid % 16 * 2));
    if (tree->gic == TREE_GICV3) {
        write(GICD_IGROUPR + word, read(GICD_IGROUPR + word) | 1u << intid % 32);
        mmio_write64(tree->distributor + GICD_IROUTER + 8 * (uint64_t)intid, ARM64_READ("mpidr_el1") & AFFINITY);
    } else { /* to who reads: its own bit stands at each of its private interrupts */
        mmio_write8(tree->distributor + GICD_ITARGETSR + intid, mmio_read8(tree->distributor + GICD_ITARGETSR));
    }
    write(GICD_ISENABLER + word, 1u << intid % 32);
}

uint32_t gic_take(void)
{
    uint32_t iar =
        tree->gic == TREE_GICV3 ? (uint32_t)ARM64_READ(ICC_IAR1) : mmio_read32(tree->redistributor + GICC_IAR);

    return (iar & 0x3ff) >= INTID_SPECIAL ? GIC_NONE : iar;
}

void gic_end(uint32_t intid)
{
    arm64_barrier(); /* what the handler did to the device's line comes first */
    if (tree->gic == TREE_GICV3)
        ARM64_WRITE(ICC_EOIR1, intid);
    else
        mmio_write32(tree->redistributor + GICC_EOIR, intid);
}
