// One multiply-accumulate unit (UNIT, with BUG planted) against rows of `accsim vectors --format readmemh`, and in lockstep against
// libaccsim_dpi where DPI is defined. Runs where +unit and +bug name it; +vectors=FILE +rows=N, for DPI +datapath= +options=.
`timescale 1ns / 1ps
module mac_bench #(
    parameter UNIT = 0,
    parameter BUG = 0,
    parameter A = 12,     // bits of the fields in a word, whole hexadecimal digits
    parameter B = 12,
    parameter ACC = 12,
    parameter LATENCY = 2,  // registers
    parameter HAS_PRODUCT = 0
) ();
`ifdef DPI
  import accsim_dpi_pkg::*;
  chandle model;
`endif
  localparam W = 4 + A + B + 2 * ACC + 8;
  localparam MOST = (BUG == 0) ? 100000 : 32768;

  logic           clk, rst, in_valid, first;
  logic [A-1:0]   a;
  logic [B-1:0]   b;
  wire            out_valid, product_valid;
  wire  [ACC-1:0] acc, product;
  logic [W-1:0]   words [0:MOST-1];
  logic [W-1:0]   word;
  integer         taken [0:MOST-1];  // cycle of each row
  reg [8*256-1:0] path;  // no strings in Icarus 11's plusargs
  integer         unit, bug, rows, sent, got, cycle, wrong, gap;

  generate
    if (UNIT == 0) begin : u
      fp12_mac #(.BUG(BUG)) dut (.clk, .rst, .in_valid, .first, .a, .b, .product_valid, .out_valid, .product, .acc);
    end else if (UNIT == 1) begin : u
      sr_mac #(.BUG(BUG)) dut (.clk, .rst, .in_valid, .first, .a, .b, .out_valid, .acc);
    end else begin : u
      int_mac #(.SATURATE(UNIT == 3), .BUG(BUG)) dut (.clk, .rst, .in_valid, .first, .a, .b, .out_valid, .acc);
    end
    if (UNIT != 0) begin : none
      assign product_valid = 1'b0;
      assign product = '0;
    end
  endgenerate

  task automatic report(input [8*20-1:0] what, input [63:0] expected, input [63:0] found);
    if (wrong == 0) $display("cycle %0d: %0s expected %0h, found %0h (row %0d)", cycle, what, expected, found, got);
    wrong = wrong + 1;
  endtask

  initial begin
    clk = 1'b0;
    if ($value$plusargs("unit=%d", unit) && unit == UNIT && $value$plusargs("bug=%d", bug) && bug == BUG) begin
      if (!$value$plusargs("vectors=%s", path) || !$value$plusargs("rows=%d", rows)) begin
        $display("no +vectors or +rows");
        $finish;
      end
      $readmemh(path, words, 0, rows - 1);
`ifdef DPI
      model = lockstep::made_model();
`endif
      sent = 0;
      got = 0;
      wrong = 0;
      gap = 1;
      cycle = -4;
      while (got < rows && cycle < 8 * rows + 1000 && wrong < 1000) begin
        #5 clk = 1'b1;
        #5 clk = 1'b0;
      end
      if (got < rows) report("rows", 64'(rows), 64'(got));
`ifdef DPI
      lockstep::tell_mismatches(model);
`endif
      $display("unit %0d: %0d rows, %0d wrong, %0d cycles", UNIT, got, wrong, cycle);
      $finish;
    end
  end

  // What stands before the edge, the model's own edge, the inputs of the next cycle; now and then there are none.
  always @(posedge clk) begin
    if (cycle >= 0) begin
`ifdef DPI
      check_model;
      lockstep::require(model, accsim_clock(model, 0, int'(in_valid), int'(first), 64'(a), 64'(b)));
`endif
      if (in_valid) begin
        taken[sent] = cycle;
        sent = sent + 1;
      end
      if (out_valid !== 1'b0) begin
        word = words[got];
        if (got >= sent || cycle != taken[got] + LATENCY) report("stage control", 64'(taken[got] + LATENCY), 64'(cycle));
        if (out_valid !== 1'b1 || acc !== word[8+:ACC]) report("stage sum: acc", 64'(word[8+:ACC]), 64'(acc));
        got = got + 1;
      end
    end
    cycle = cycle + 1;
    gap = (gap * 1103515245 + 12345) & 32'h7fffffff;
    word = words[(sent < rows) ? sent : 0];
    rst <= cycle < 0;
    in_valid <= cycle >= 0 && sent < rows && gap[17:16] != 2'd0;
    first <= word[W-4];
    a <= word[W-5-:A];
    b <= word[W-5-A-:B];
  end

`ifdef DPI
  task automatic check_model;
    int status;
    status = accsim_check(model, "valid", 64'(out_valid));
    if (out_valid) status = accsim_check(model, "acc", 64'(acc));
    if (HAS_PRODUCT != 0) begin
      status = accsim_check(model, "product_valid", 64'(product_valid));
      if (product_valid) status = accsim_check(model, "product", 64'(product));
    end
  endtask
`endif
endmodule
