// accsim as a golden reference in a SystemVerilog test bench. What each function does stands in accsim_dpi.h.
package accsim_dpi_pkg;
  parameter int ACCSIM_DPI_VERSION = 1;
  parameter int ACCSIM_DPI_BITS = 2048;

  import "DPI-C" function int accsim_version();
  import "DPI-C" function chandle accsim_create(input int version, input string datapath, input string options);
  import "DPI-C" function void accsim_destroy(input chandle unit);
  import "DPI-C" function string accsim_last_error(input chandle unit);
  import "DPI-C" function int accsim_reset(input chandle unit);
  import "DPI-C" function int accsim_bits(input chandle unit, input string what);
  import "DPI-C" function int accsim_mac(input chandle unit, input longint unsigned a, input longint unsigned b,
                                         input longint unsigned acc_in, output longint unsigned acc_out);
  import "DPI-C" function int accsim_step(input chandle unit, input int first, input longint unsigned a, input longint unsigned b,
                                          output longint unsigned acc_out);
  import "DPI-C" function int accsim_row(input chandle unit, input int terms, input bit [ACCSIM_DPI_BITS-1:0] a,
                                         input bit [ACCSIM_DPI_BITS-1:0] b, input bit [127:0] acc_in, output bit [127:0] acc_out);
  import "DPI-C" function int accsim_total(input chandle unit, output longint unsigned out);
  import "DPI-C" function int accsim_clock(input chandle unit, input int reset, input int in_valid, input int first,
                                           input longint unsigned a, input longint unsigned b);
  import "DPI-C" function int accsim_clock_row(input chandle unit, input int reset, input int in_valid, input int first, input int terms,
                                               input bit [ACCSIM_DPI_BITS-1:0] a, input bit [ACCSIM_DPI_BITS-1:0] b);
  import "DPI-C" function int accsim_peek(input chandle unit, input string signal, output longint unsigned value);
  import "DPI-C" function int accsim_check(input chandle unit, input string signal, input longint unsigned found);
  import "DPI-C" function int accsim_check_value(input chandle unit, input string what, input longint unsigned expected,
                                                 input longint unsigned found);
  import "DPI-C" function int accsim_error_count(input chandle unit);
  import "DPI-C" function string accsim_error_text(input chandle unit, input int index);
endpackage
