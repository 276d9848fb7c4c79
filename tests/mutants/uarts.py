# SPDX-License-Identifier: MIT
"""The mutants of the UARTs, the faults of other emulators among them. Format as in test_mutants.py."""

MUTANTS = [
    # What other emulators got wrong.
    ("uart_rx_hidden_by_icr", "pl011.c",
     "    return u->latched | (rx_level(&u->rx) >= rx_trigger(u) ? UARTINT_RX : 0);",
     "    return u->latched | (rx_level(&u->rx) == rx_trigger(u) ? UARTINT_RX : 0);", "pl011"),
    ("uart_rt_never_again", "pl011.c", "else if (!u->timing || u->timed != u->rx.tail)",
     "else if (u->timed != u->rx.tail)", "pl011"),
    ("uart_rt_of_the_empty", "pl011.c",
     "    if (rx_level(&u->rx) == 0)\n        u->latched &= ~(uint32_t)UARTINT_RT;\n",
     "", "pl011"),
    ("uart_tx_by_crossing_only", "pl011.c", "    if (moved && tx_level(&u->tx) <= tx_trigger(u))\n",
     "    if (moved && u->tx_above)\n", "pl011"),
    ("uart_tx_not_cleared", "pl011.c", "    if (above)\n        u->latched &= ~(uint32_t)UARTINT_TX;\n    else if",
     "    if", "pl011"),
    ("uart_fifos_kept", "pl011.c", "        u->rx.head = u->rx.tail;\n        if (tx_level",
     "        if (tx_level", "pl011"),
    ("uart_divisor_at_once", "pl011.c", "case UARTIBRD: u->ibrd = value & 0xffff; break;",
     "case UARTIBRD: u->ibrd = value & 0xffff; u->divisor = u->ibrd << 6 | u->fbrd; break;", "pl011"),
    ("uart_overtaken", "pl011.c", "    if (tx_level(&u->tx) > 0 || (u->cr & (UARTCR_LBE",
     "    if (u == 0 || (u->cr & (UARTCR_LBE", "pl011"),
    ("uart_cts_forgotten", "pl011.c", "(UARTCR_LBE | UARTCR_CTSEN)) != 0)", "UARTCR_LBE) != 0)", "pl011"),
    ("uart_sbsa_switched_off", "pl011.c", "    if (u->type == VC_PL011_FULL)\n        return true;\n",
     "    if (u->type != VC_PL011_FULL)\n        return offset != UARTIBRD;\n", "pl011"),
    ("uart_wide_access", "pl011.c", "(width == 1 || width == 2 || width == 4) &&",
     "width > 0 && width <= 8 &&", "pl011"),
    ("uart_room_never_told", "pl011.c", "rx_level(&u->rx) <= depth(u) / 2) {",
     "rx_level(&u->rx) < depth(u) / 2) {", "pl011"),
    ("uart_overrun_not_told", "pl011.c", "rx_push(&u->rx, entry | (u->overrun ? UARTDR_OE : 0));",
     "rx_push(&u->rx, entry);", "pl011"),
    ("uart_sbsa_room_for_16", "pl011.c", "SBSA_IFLS = 0x11", "SBSA_IFLS = 0x12", "uart_drivers"),
    ("uart_room_told_for_each_byte", "pl011.c", "rx_level(&u->rx) <= depth(u) / 2) {",
     "rx_level(&u->rx) < depth(u)) {", "pl011"),
    ("uart_room_forgotten", "pl011.c", "u->hungry = u->hungry || taken < n;", "u->hungry = taken < n;", "pl011"),
    # The 16550A.
    ("uart_thre_not_again", "ns16550.c",
     "    if ((value & ~u->ier & UART_IER_THRE) != 0 && tx_level(&u->tx) == 0)\n"
     "        u->thre = true;\n",
     "", "ns16550"),
    ("uart_thre_told_for_another", "ns16550.c", "    if (is == UART_IIR_THRE) {",
     "    if (is != UART_IIR_NONE) {", "ns16550"),
    ("uart_error_at_once", "ns16550.c",
     "    if (rx_level(&u->rx) == 0)\n        return;\n    u->errors |= *top",
     "    if (rx_level(&u->rx) == 0)\n"
     "        return;\n"
     "    top = &u->rx.at[(u->rx.tail - 1) % VC_UART_FIFO];\n"
     "    u->errors |= *top", "ns16550"),
    ("uart_fcr_without_bit_0", "ns16550.c", "u->fcr = on ? value & FCR_BITS : 0;",
     "u->fcr = value & FCR_BITS;", "uart_save"),
    ("uart_ri_both_edges", "ns16550.c", "if ((changed & u->seen & UART_MSR_RI) != 0)",
     "if ((changed & UART_MSR_RI) != 0)", "ns16550"),
    ("uart_divisor_0", "uart.c", "    if (divisor64 != 0)\n", "", "ns16550"),
    # Batches, and what is restored.
    ("uart_batch_of_anything", "uart.c", "writes[i].offset != 0 || ", "", "uart_zone"),
    ("uart_zone_while_bytes_wait", "pl011.c", "return tx_level(&u->tx) == 0 && !loopback(u) && !held_by_cts(u) &&",
     "return !loopback(u) && !held_by_cts(u) &&", "uart_zone"),
    ("uart_zone_for_the_silent", "uart.c", "is ? p->empty < VC_UART_EMPTY_DRAINS :", "is ? true :", "uart_zone"),
    ("uart_restored_too_full", "uart_save.c", "    if (n > depth || m > depth)\n        return false;\n",
     "    if (n > 64 || m > 64)\n        return false;\n", "uart_save"),
    ("uart_restored_line_low", "ns16550.c", "    reveal(u);\n    follow_rx(u);\n    set_level(u);\n",
     "    reveal(u);\n    follow_rx(u);\n", "uart_save"),
]
