/* SPDX-License-Identifier: MIT */
/*
 * wire/xen.h: numbers and layouts of Xen's hypercalls that stock Linux or tiny makes, and of their answers.
 *
 * Source: Xen public/xen.h, errno.h, sched.h, event_channel.h, vcpu.h, memory.h, version.h, features.h, grant_table.h,
 *         platform.h, physdev.h, hvm/{hvm_op,params,hvm_vcpu}.h, compat/.
 * Results are 0 or positive, or the negative of an XEN_E number. Layouts are those of 64-bit guests, x86_64 and arm64; a
 * struct compat_X is what a 32-bit x86 guest passes where it differs. A guest address in a struct is a number here, and
 * all padding is named, so that nothing is copied to a guest that was not written. shared_info is in wire/shared_info.h.
 */
#ifndef VCONS_WIRE_XEN_H
#define VCONS_WIRE_XEN_H
#include <stddef.h>
#include <stdint.h>

enum { /* hypercall numbers */
       XEN_memory_op = 12,
       XEN_multicall = 13,
       XEN_set_timer_op = 15,
       XEN_xen_version = 17,
       XEN_console_io = 18,
       XEN_grant_table_op = 20,
       XEN_vm_assist = 21,
       XEN_vcpu_op = 24,
       XEN_sched_op = 29,
       XEN_event_channel_op = 32,
       XEN_physdev_op = 33, /* refused: a domain here has no physical device */
       XEN_hvm_op = 34,
       XEN_platform_op = 7,
       XEN_xenpmu_op = 40,
       XEN_N_HYPERCALLS = 64,
};

enum { /* public/errno.h */
       XEN_EPERM = 1,
       XEN_ENOENT = 2,
       XEN_ESRCH = 3,
       XEN_EINTR = 4,
       XEN_EIO = 5,
       XEN_ENXIO = 6,
       XEN_E2BIG = 7,
       XEN_ENOEXEC = 8,
       XEN_EBADF = 9,
       XEN_EAGAIN = 11,
       XEN_ENOMEM = 12,
       XEN_EACCES = 13,
       XEN_EFAULT = 14,
       XEN_EBUSY = 16,
       XEN_EEXIST = 17,
       XEN_EXDEV = 18,
       XEN_ENODEV = 19,
       XEN_EINVAL = 22,
       XEN_ENOSPC = 28,
       XEN_EROFS = 30,
       XEN_ERANGE = 34,
       XEN_ENOSYS = 38,
       XEN_ENOTEMPTY = 39,
       XEN_ENODATA = 61,
       XEN_EOVERFLOW = 75,
       XEN_EOPNOTSUPP = 95,
       XEN_ETIMEDOUT = 110,
};

#define XEN_PAGE_BYTES           4096u
#define XEN_DOMID_SELF           0x7ff0u
#define XEN_DOMID_FIRST_RESERVED 0x7ff0u /* no domain has this number or a higher one */

/* ---- console_io ---- */

enum { CONSOLEIO_write = 0, CONSOLEIO_read = 1 };
#define XEN_DEBUG_PORT 0xe9u /* I/O port: a byte written goes where CONSOLEIO_write goes; reads give 0xe9 */

/* ---- sched_op ---- */

enum {
    SCHEDOP_yield = 0,
    SCHEDOP_block = 1,
    SCHEDOP_shutdown = 2,
    SCHEDOP_poll = 3,
    SCHEDOP_remote_shutdown = 4,
    SCHEDOP_shutdown_code = 5,
    SCHEDOP_watchdog = 6,
    SCHEDOP_pin_override = 7,
};
enum {
    SHUTDOWN_poweroff = 0,
    SHUTDOWN_reboot = 1,
    SHUTDOWN_suspend = 2,
    SHUTDOWN_crash = 3,
    SHUTDOWN_watchdog = 4,
    SHUTDOWN_soft_reset = 5,
};
struct sched_shutdown {
    uint32_t reason;
};
struct sched_poll {
    uint64_t ports;    /* guest address of nr_ports u32 */
    uint32_t nr_ports; /* at most 128 */
    uint32_t reserved;
    uint64_t timeout; /* absolute nanoseconds of system time; 0: none */
};
struct compat_sched_poll {
    uint32_t ports;
    uint32_t nr_ports;
    uint64_t timeout; /* aligned to 4 in a 32-bit guest: at 8 either way */
};

/* ---- event_channel_op: one layout for every ABI ---- */

enum {
    EVTCHNOP_bind_interdomain = 0,
    EVTCHNOP_bind_virq = 1,
    EVTCHNOP_bind_pirq = 2,
    EVTCHNOP_close = 3,
    EVTCHNOP_send = 4,
    EVTCHNOP_status = 5,
    EVTCHNOP_alloc_unbound = 6,
    EVTCHNOP_bind_ipi = 7,
    EVTCHNOP_bind_vcpu = 8,
    EVTCHNOP_unmask = 9,
    EVTCHNOP_reset = 10,
    EVTCHNOP_init_control = 11, /* the FIFO ABI begins here */
    EVTCHNOP_expand_array = 12,
    EVTCHNOP_set_priority = 13,
};
enum { /* a vCPU's own, the domain's own, or the whole machine's: see vcons/events.h */
       VIRQ_TIMER = 0,
       VIRQ_DEBUG = 1,
       VIRQ_CONSOLE = 2,
       VIRQ_DOM_EXC = 3,
       VIRQ_XENOPROF = 7,
       VIRQ_CON_RING = 8,
       VIRQ_ARGO = 11,
       VIRQ_XENPMU = 13,
       VIRQ_ARCH_7 = 23,
       NR_VIRQS = 24,
};
enum {
    EVTCHNSTAT_closed = 0,
    EVTCHNSTAT_unbound = 1,
    EVTCHNSTAT_interdomain = 2,
    EVTCHNSTAT_pirq = 3,
    EVTCHNSTAT_virq = 4,
    EVTCHNSTAT_ipi = 5,
};
struct evtchn_bind_interdomain {
    uint16_t remote_dom;
    uint16_t pad;
    uint32_t remote_port;
    uint32_t local_port; /* out */
};
struct evtchn_bind_virq {
    uint32_t virq;
    uint32_t vcpu;
    uint32_t port; /* out */
};
struct evtchn_bind_pirq {
    uint32_t pirq;
    uint32_t flags;
    uint32_t port; /* out */
};
struct evtchn_send { /* also close and unmask */
    uint32_t port;
};
struct evtchn_status {
    uint16_t dom;
    uint16_t pad;
    uint32_t port;
    uint32_t status; /* out, EVTCHNSTAT_*; so are the rest */
    uint32_t vcpu;
    union {
        uint32_t virq;
        struct {
            uint16_t dom;
        } unbound;
        struct {
            uint16_t dom;
            uint16_t pad;
            uint32_t port;
        } interdomain;
    } u;
};
struct evtchn_alloc_unbound {
    uint16_t dom;
    uint16_t remote_dom;
    uint32_t port; /* out */
};
struct evtchn_bind_ipi {
    uint32_t vcpu;
    uint32_t port; /* out */
};
struct evtchn_bind_vcpu {
    uint32_t port;
    uint32_t vcpu;
};
struct evtchn_reset {
    uint16_t dom;
};
struct evtchn_init_control {
    uint64_t control_gfn;
    uint32_t offset;
    uint32_t vcpu;
    uint8_t link_bits; /* out */
    uint8_t pad[7];
};

/* ---- vcpu_op ---- */

enum {
    VCPUOP_initialise = 0,
    VCPUOP_up = 1,
    VCPUOP_down = 2,
    VCPUOP_is_up = 3, /* 1 or 0 */
    VCPUOP_get_runstate_info = 4,
    VCPUOP_register_runstate_memory_area = 5,
    VCPUOP_set_periodic_timer = 6,
    VCPUOP_stop_periodic_timer = 7,
    VCPUOP_set_singleshot_timer = 8,
    VCPUOP_stop_singleshot_timer = 9,
    VCPUOP_register_vcpu_info = 10,
    VCPUOP_send_nmi = 11,
    VCPUOP_get_physid = 12,
    VCPUOP_register_vcpu_time_memory_area = 13,
    VCPUOP_register_runstate_phys_area = 14,
    VCPUOP_register_vcpu_time_phys_area = 15,
};
struct vcpu_register_vcpu_info { /* every ABI */
    uint64_t mfn;                /* the guest's own frame number, whatever the name says */
    uint32_t offset;
    uint32_t pad;
};
struct vcpu_register_area { /* of runstate or time */
    uint64_t address;
};
struct compat_vcpu_register_area {
    uint32_t address;
};
struct vcpu_set_periodic_timer {
    uint64_t period_ns;
};
enum { VCPU_SSHOTTMR_future = 1 }; /* -XEN_ETIME for a deadline that has passed; without it that one fires at once */
enum { XEN_ETIME = 62 };
struct vcpu_set_singleshot_timer {
    uint64_t timeout_abs_ns;
    uint32_t flags;
    uint32_t pad;
};
struct compat_vcpu_set_singleshot_timer {
    uint32_t timeout_abs_ns_low, timeout_abs_ns_high; /* a u64, aligned to 4 there */
    uint32_t flags;
};

/* VCPUOP_initialise of an HVM or PVH guest: the state in which the vCPU starts. */
enum { VCPU_HVM_MODE_32B = 0, VCPU_HVM_MODE_64B = 1 };
struct vcpu_hvm_x86_32 {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags;
    uint32_t cr0, cr3, cr4;
    uint32_t pad1;
    uint64_t efer;
    uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
    uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
    uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar; /* access rights as in a descriptor: bits 8..15 and 20..23 moved down */
    uint16_t pad2[3];
};
struct vcpu_hvm_x86_64 { /* flat segments are Xen's to set */
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
};
struct vcpu_hvm_context {
    uint32_t mode;
    uint32_t pad;
    union {
        struct vcpu_hvm_x86_32 x86_32;
        struct vcpu_hvm_x86_64 x86_64;
    } cpu_regs;
};

enum { RUNSTATE_running = 0, RUNSTATE_runnable = 1, RUNSTATE_blocked = 2, RUNSTATE_offline = 3 };
#define XEN_RUNSTATE_UPDATE (UINT64_C(1) << 63) /* in state_entry_time: being written */

/* ---- vm_assist ---- */

enum { VMASST_CMD_enable = 0, VMASST_CMD_disable = 1 };
enum { VMASST_TYPE_runstate_update_flag = 5 };

/* ---- memory_op ---- */

enum {
    XENMEM_increase_reservation = 0,
    XENMEM_decrease_reservation = 1,
    XENMEM_maximum_ram_page = 2,
    XENMEM_current_reservation = 3,
    XENMEM_maximum_reservation = 4,
    XENMEM_populate_physmap = 6,
    XENMEM_add_to_physmap = 7,
    XENMEM_memory_map = 9,
    XENMEM_remove_from_physmap = 15,
    XENMEM_add_to_physmap_batch = 23,
};
enum { XENMAPSPACE_shared_info = 0, XENMAPSPACE_grant_table = 1 };
#define XENMAPIDX_grant_table_status 0x80000000u
struct xen_add_to_physmap {
    uint16_t domid;
    uint16_t size; /* for XENMAPSPACE_gmfn_range alone */
    uint32_t space;
    uint64_t idx;
    uint64_t gpfn;
};
struct compat_add_to_physmap {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t idx;
    uint32_t gpfn;
};
struct xen_remove_from_physmap {
    uint16_t domid;
    uint16_t pad[3];
    uint64_t gpfn;
};
struct compat_remove_from_physmap {
    uint16_t domid;
    uint16_t pad;
    uint32_t gpfn;
};
struct xen_memory_map {
    uint32_t nr_entries; /* in: room; out: filled */
    uint32_t pad;
    uint64_t buffer; /* guest address of struct xen_e820_entry */
};
struct compat_memory_map {
    uint32_t nr_entries;
    uint32_t buffer;
};
struct xen_e820_entry { /* 20 bytes, back to back */
    uint32_t addr_low, addr_high;
    uint32_t size_low, size_high;
    uint32_t type;
};

/* ---- xen_version: the first argument is the command ---- */

enum {
    XENVER_version = 0, /* result: major << 16 | minor; no pointer */
    XENVER_extraversion = 1,
    XENVER_compile_info = 2,
    XENVER_capabilities = 3,
    XENVER_changeset = 4,
    XENVER_platform_parameters = 5,
    XENVER_get_features = 6,
    XENVER_pagesize = 7, /* result: 4096 */
    XENVER_guest_handle = 8,
    XENVER_commandline = 9,
    XENVER_build_id = 10,
};
#define XEN_VERSION_OF(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define XEN_EXTRAVERSION_BYTES       16u
#define XEN_CAPABILITIES_INFO_BYTES  1024u
#define XEN_CHANGESET_INFO_BYTES     64u
#define XEN_COMMANDLINE_BYTES        1024u
struct xen_feature_info {
    uint32_t submap_idx;
    uint32_t submap; /* out: features 32 * submap_idx .. + 31 */
};
enum {
    XENFEAT_writable_page_tables = 0,
    XENFEAT_writable_descriptor_tables = 1,
    XENFEAT_auto_translated_physmap = 2,
    XENFEAT_supervisor_mode_kernel = 3,
    XENFEAT_pae_pgdir_above_4gb = 4,
    XENFEAT_mmu_pt_update_preserve_ad = 5,
    XENFEAT_highmem_assist = 6,
    XENFEAT_gnttab_map_avail_bits = 7,
    XENFEAT_hvm_callback_vector = 8,
    XENFEAT_hvm_safe_pvclock = 9,
    XENFEAT_hvm_pirqs = 10,
    XENFEAT_dom0 = 11,
    XENFEAT_memory_op_vnode_supported = 13,
    XENFEAT_runstate_phys_area = 18,
    XENFEAT_vcpu_time_phys_area = 19,
};

/* ---- grant_table_op ---- */

enum {
    GNTTABOP_map_grant_ref = 0,
    GNTTABOP_unmap_grant_ref = 1,
    GNTTABOP_setup_table = 2,
    GNTTABOP_dump_table = 3,
    GNTTABOP_transfer = 4,
    GNTTABOP_copy = 5,
    GNTTABOP_query_size = 6,
    GNTTABOP_unmap_and_replace = 7,
    GNTTABOP_set_version = 8,
    GNTTABOP_get_status_frames = 9,
    GNTTABOP_get_version = 10,
};
enum {
    GNTST_okay = 0,
    GNTST_general_error = -1,
    GNTST_bad_domain = -2,
    GNTST_bad_gntref = -3,
    GNTST_bad_virt_addr = -5,
    GNTST_permission_denied = -8
};
enum { GTF_invalid = 0, GTF_permit_access = 1, GTF_type_mask = 3, GTF_readonly = 4, GTF_reading = 8, GTF_writing = 16 };
enum { GNTTAB_RESERVED_CONSOLE = 0, GNTTAB_RESERVED_XENSTORE = 1, GNTTAB_NR_RESERVED = 8 };
struct grant_entry_v1 {
    uint16_t flags; /* written last by the guest */
    uint16_t domid;
    uint32_t frame;
};
struct gnttab_setup_table {
    uint16_t dom;
    uint16_t pad;
    uint32_t nr_frames;
    int16_t status; /* out, GNTST_* */
    uint16_t pad2[3];
    uint64_t frame_list; /* guest address of nr_frames u64 */
};
struct compat_gnttab_setup_table {
    uint16_t dom;
    uint16_t pad;
    uint32_t nr_frames;
    int16_t status;
    uint16_t pad2;
    uint32_t frame_list; /* of nr_frames u32 */
};
struct gnttab_query_size {
    uint16_t dom;
    uint16_t pad;
    uint32_t nr_frames;     /* out */
    uint32_t max_nr_frames; /* out */
    int16_t status;         /* out, GNTST_* */
    uint16_t pad2;
};
struct gnttab_set_version {
    uint32_t version; /* in and out */
};
struct gnttab_get_version {
    uint16_t dom;
    uint16_t pad;
    uint32_t version; /* out */
};

/* ---- hvm_op ---- */

enum {
    HVMOP_set_param = 0,
    HVMOP_get_param = 1,
    HVMOP_flush_tlbs = 5,
    HVMOP_pagetable_dying = 9,
    HVMOP_get_time = 10,
    HVMOP_set_evtchn_upcall_vector = 23,
    HVMOP_guest_request_vm_event = 24,
};
enum {
    HVM_PARAM_CALLBACK_IRQ = 0,
    HVM_PARAM_STORE_PFN = 1,
    HVM_PARAM_STORE_EVTCHN = 2,
    HVM_PARAM_PAE_ENABLED = 4,
    HVM_PARAM_IOREQ_PFN = 5,
    HVM_PARAM_BUFIOREQ_PFN = 6,
    HVM_PARAM_VIRIDIAN = 9,
    HVM_PARAM_TIMER_MODE = 10,
    HVM_PARAM_HPET_ENABLED = 11,
    HVM_PARAM_IDENT_PT = 12,
    HVM_PARAM_DM_DOMAIN = 13,
    HVM_PARAM_ACPI_S_STATE = 14,
    HVM_PARAM_VM86_TSS = 15,
    HVM_PARAM_VPT_ALIGN = 16,
    HVM_PARAM_CONSOLE_PFN = 17,
    HVM_PARAM_CONSOLE_EVTCHN = 18,
    HVM_PARAM_ACPI_IOPORTS_LOCATION = 19,
    HVM_PARAM_PAGING_RING_PFN = 27,
    HVM_PARAM_MONITOR_RING_PFN = 28,
    HVM_PARAM_SHARING_RING_PFN = 29,
    HVM_PARAM_TRIPLE_FAULT_REASON = 31,
    HVM_PARAM_IOREQ_SERVER_PFN = 32,
    HVM_PARAM_NR_IOREQ_SERVER_PAGES = 33,
    HVM_PARAM_VM_GENERATION_ID_ADDR = 34,
    HVM_PARAM_ALTP2M = 35,
    HVM_PARAM_X87_FIP_WIDTH = 36,
    HVM_PARAM_VM86_TSS_SIZED = 37,
    HVM_PARAM_MCA_CAP = 38,
    HVM_NR_PARAMS = 39,
};
struct xen_hvm_param {
    uint16_t domid;
    uint16_t reserved;
    uint32_t index;
    uint64_t value;
};
struct xen_hvm_evtchn_upcall_vector {
    uint32_t vcpu;
    uint8_t vector; /* below 0x10: -EINVAL */
    uint8_t pad[3];
};
/* HVM_PARAM_CALLBACK_IRQ, bits 63:56 */
enum {
    HVM_PARAM_CALLBACK_TYPE_GSI = 0,
    HVM_PARAM_CALLBACK_TYPE_PCI_INTX = 1,
    HVM_PARAM_CALLBACK_TYPE_VECTOR = 2, /* x86; on Arm 2 is the PPI */
    HVM_PARAM_CALLBACK_TYPE_PPI = 2,
};

/* ---- CPUID, x86: leaves from XEN_CPUID_BASE ---- */

#define XEN_CPUID_BASE 0x40000000u
#define XEN_CPUID_EBX  0x566e6558u /* "XenVMMXenVMM" */
#define XEN_CPUID_ECX  0x65584d4du
#define XEN_CPUID_EDX  0x4d4d566eu
enum { /* leaf base + 4, eax */
       XEN_HVM_CPUID_APIC_ACCESS_VIRT = 1 << 0,
       XEN_HVM_CPUID_X2APIC_VIRT = 1 << 1,
       XEN_HVM_CPUID_VCPU_ID_PRESENT = 1 << 3,
       XEN_HVM_CPUID_DOMID_PRESENT = 1 << 4,
       XEN_HVM_CPUID_UPCALL_VECTOR = 1 << 6,
};

_Static_assert(sizeof(struct sched_poll) == 24 && offsetof(struct sched_poll, timeout) == 16, "xen/public/sched.h");
_Static_assert(sizeof(struct compat_sched_poll) == 16, "xen/public/sched.h");
_Static_assert(sizeof(struct evtchn_bind_interdomain) == 12, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_bind_interdomain, remote_port) == 4, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_bind_virq) == 12, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_bind_pirq) == 12, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_status) == 24, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_status, status) == 8, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_status, u) == 16, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_status, u.interdomain.port) == 20, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_alloc_unbound) == 8, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_bind_ipi) == 8, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_bind_vcpu) == 8, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_reset) == 2, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_init_control) == 24, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_init_control, link_bits) == 16, "xen/public/event_channel.h");
_Static_assert(sizeof(struct vcpu_register_vcpu_info) == 16, "xen/public/vcpu.h");
_Static_assert(sizeof(struct vcpu_set_singleshot_timer) == 16, "xen/public/vcpu.h");
_Static_assert(sizeof(struct compat_vcpu_set_singleshot_timer) == 12, "xen/public/vcpu.h");
_Static_assert(sizeof(struct vcpu_hvm_x86_32) == 120 && offsetof(struct vcpu_hvm_x86_32, efer) == 56 &&
                   offsetof(struct vcpu_hvm_x86_32, cs_base) == 64 && offsetof(struct vcpu_hvm_x86_32, cs_ar) == 104,
               "xen/public/hvm/hvm_vcpu.h");
_Static_assert(sizeof(struct vcpu_hvm_x86_64) == 112, "xen/public/hvm/hvm_vcpu.h");
_Static_assert(sizeof(struct vcpu_hvm_context) == 128, "xen/public/hvm/hvm_vcpu.h");
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "xen/public/memory.h");
_Static_assert(sizeof(struct compat_add_to_physmap) == 16, "xen/public/memory.h");
_Static_assert(sizeof(struct xen_memory_map) == 16, "xen/public/memory.h");
_Static_assert(sizeof(struct xen_e820_entry) == 20, "xen/public/arch-x86/hvm/start_info.h");
_Static_assert(sizeof(struct gnttab_setup_table) == 24, "xen/public/grant_table.h");
_Static_assert(sizeof(struct compat_gnttab_setup_table) == 16, "xen/public/grant_table.h");
_Static_assert(sizeof(struct gnttab_query_size) == 16, "xen/public/grant_table.h");
_Static_assert(offsetof(struct gnttab_query_size, status) == 12, "xen/public/grant_table.h");
_Static_assert(sizeof(struct grant_entry_v1) == 8, "xen/public/grant_table.h");
_Static_assert(sizeof(struct xen_hvm_param) == 16, "xen/public/hvm/hvm_op.h");
_Static_assert(offsetof(struct xen_hvm_param, value) == 8, "xen/public/hvm/hvm_op.h");
_Static_assert(sizeof(struct xen_hvm_evtchn_upcall_vector) == 8, "xen/public/hvm/hvm_op.h");

#endif
