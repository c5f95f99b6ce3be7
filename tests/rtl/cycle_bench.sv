// A unit against a file of cycles: each word holds the inputs of a cycle and the outputs that stand before its edge. Runs where +unit and
// +bug name it; +vectors=FILE +rows=N.
`timescale 1ns / 1ps
module cycle_bench #(
    parameter UNIT = 10,
    parameter BUG = 0,
    parameter IN = 18,
    parameter OUT = 2
) ();
  localparam MOST = (BUG == 0) ? 131072 : 32768;
  logic             clk, rst;
  logic [IN-1:0]    in;
  wire  [OUT-1:0]   out;
  logic [IN+OUT-1:0] words [0:MOST-1];
  reg   [8*256-1:0] path;
  integer           unit, bug, rows, cycle, wrong;

  generate
    if (UNIT == 10) begin : u  // {x_plus, x_minus}, {z_plus, z_minus}
      online_adder_tree #(.N(9), .BUG(BUG)) dut (.clk, .rst, .x_plus(in[17:9]), .x_minus(in[8:0]), .z_plus(out[1]), .z_minus(out[0]));
    end else if (UNIT == 11) begin : u  // {start, x_plus, x_minus, y}, {z_plus, z_minus}
      online_multiplier #(.B(8), .BUG(BUG)) dut (.clk, .rst, .start(in[10]), .x_plus(in[9]), .x_minus(in[8]), .y(in[7:0]), .z_plus(out[1]), .z_minus(out[0]));
    end else begin : u  // {in_valid, first, last, a, b}, {out_valid, out}
      wire        valid;
      wire [63:0] sums;
      os_array #(.BUG(BUG)) dut (.clk, .rst, .in_valid(in[66]), .first(in[65]), .last(in[64]), .a(in[63:32]), .b(in[31:0]), .out_valid(valid), .out(sums));
      assign out = {valid, valid ? sums : 64'd0};
    end
  endgenerate

  function automatic [8*12-1:0] stage;
    input [OUT-1:0] differing;
    stage = (UNIT == 10) ? "tree" : (UNIT == 11) ? "digit" : differing[OUT-1] ? "control" : "sum";
  endfunction

  initial begin
    clk = 1'b0;
    if ($value$plusargs("unit=%d", unit) && unit == UNIT && $value$plusargs("bug=%d", bug) && bug == BUG) begin
      if (!$value$plusargs("vectors=%s", path) || !$value$plusargs("rows=%d", rows)) begin
        $display("no +vectors or +rows");
        $finish;
      end
      $readmemh(path, words, 0, rows - 1);
      wrong = 0;
      rst = 1'b1;
      in = '0;
      for (cycle = -2; cycle < 0; cycle = cycle + 1) begin
        #5 clk = 1'b1;
        #5 clk = 1'b0;
      end
      rst = 1'b0;
      for (cycle = 0; cycle < rows; cycle = cycle + 1) begin
        in = words[cycle][IN+OUT-1:OUT];
        #5;
        if (out !== words[cycle][OUT-1:0]) begin
          if (wrong < 3)
            $display("cycle %0d: stage %0s: expected %0h, found %0h", cycle, stage(out ^ words[cycle][OUT-1:0]), words[cycle][OUT-1:0], out);
          wrong = wrong + 1;
        end
        clk = 1'b1;
        #5 clk = 1'b0;
      end
      $display("unit %0d: %0d cycles, %0d wrong", UNIT, rows, wrong);
      $finish;
    end
  end
endmodule
