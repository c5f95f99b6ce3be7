// A unit against a file of cycles: each word holds the inputs of a cycle and the outputs that stand before its edge. Where DPI is defined, in
// lockstep with libaccsim_dpi as well. Runs where +unit and +bug name it; +vectors=FILE +rows=N, for DPI +datapath= +options=.
`timescale 1ns / 1ps
module cycle_bench #(
    parameter UNIT = 10,
    parameter BUG = 0,
    parameter IN = 18,
    parameter OUT = 2
) ();
`ifdef DPI
  import accsim_dpi_pkg::*;
  chandle model;
  string  datapath;
  int     status;
`endif
  localparam MOST = (BUG == 0) ? 262144 : 32768;
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
    end else if (UNIT == 12) begin : u  // {in_valid, first, last, a, b}, {out_valid, out}
      wire        valid;
      wire [63:0] sums;
      os_array #(.BUG(BUG)) dut (.clk, .rst, .in_valid(in[66]), .first(in[65]), .last(in[64]), .a(in[63:32]), .b(in[31:0]), .out_valid(valid), .out(sums));
      assign out = {valid, valid ? sums : 64'd0};
    end else if (UNIT == 13) begin : u  // {start, x_plus, x_minus, y}, {p_plus, p_minus, z_plus, z_minus}
      online_inner_product #(.BUG(BUG)) dut (.clk, .rst, .start(in[90]), .x_plus(in[89:81]), .x_minus(in[80:72]), .y(in[71:0]),
                                             .p_plus(out[19:11]), .p_minus(out[10:2]), .z_plus(out[1]), .z_minus(out[0]));
    end else if (UNIT == 14) begin : u  // {start, x_plus, x_minus, y_plus, y_minus}, {z_plus, z_minus}
      online_serial_multiplier #(.BUG(BUG)) dut (.clk, .rst, .start(in[4]), .x_plus(in[3]), .x_minus(in[2]), .y_plus(in[1]), .y_minus(in[0]),
                                                 .z_plus(out[1]), .z_minus(out[0]));
    end else begin : u  // {in_valid, last, out_ready, number, gate}, {in_ready, out_valid, acc}
      wire        valid;
      wire [15:0] acc;
      fp16_accumulator #(.BUG(BUG)) dut (.clk, .rst, .in_valid(in[19]), .last(in[18]), .out_ready(in[17]), .number(in[16:1]), .gate(in[0]),
                                         .in_ready(out[17]), .out_valid(valid), .acc);
      assign out[16:0] = {valid, valid ? acc : 16'd0};
    end
  endgenerate

  function automatic [8*12-1:0] stage;
    input [OUT-1:0] differing;
    case (UNIT)
      10: stage = "tree";
      12: stage = differing[OUT-1] ? "control" : "sum";
      13: stage = (differing >> 2 != 0) ? "product" : "tree";
      15: stage = (differing >> 16 != 0) ? "control" : "sum";
      default: stage = "digit";
    endcase
  endfunction

`ifdef DPI
  // The model before the edge, against what stands there.
  task automatic check_model;
    case (UNIT)
      12: status = accsim_array_check(model, int'(out[OUT-1]), ACCSIM_DPI_BITS'(out[OUT-2:0]));
      13: begin
        status = accsim_check(model, "products_plus", 64'(out >> 11));
        status = accsim_check(model, "products_minus", 64'((out >> 2) & 9'h1ff));
        status = accsim_check(model, "digit", 64'(out[1:0]));
      end
      15: begin
        status = accsim_check(model, "valid", 64'(out[(OUT-2)%OUT]));
        if (in[17%IN]) status = accsim_check(model, "ready", 64'(out[OUT-1]));
        if (out[(OUT-2)%OUT]) status = accsim_check(model, "acc", 64'(out & 'hffff));
      end
      default: status = accsim_check(model, "digit", 64'(out[1:0]));
    endcase
  endtask
  task automatic clock_model;
    case (UNIT)
      10: status = accsim_clock_online(model, 0, 64'(in >> 9), 64'(in & 'h1ff), 0, 0, '0);
      11: status = accsim_clock_online(model, in[10%IN] ? ACCSIM_FIRST : 0, 64'(in[9%IN]), 64'(in[8%IN]), 0, 0, ACCSIM_DPI_BITS'(in & 'hff));
      12: status = accsim_clock_array(model, (in[66%IN] ? ACCSIM_VALID : 0) | (in[65%IN] ? ACCSIM_FIRST : 0) | (in[64%IN] ? ACCSIM_LAST : 0),
                                      ACCSIM_DPI_BITS'(in >> 32) & 'hffffffff, ACCSIM_DPI_BITS'(in) & 'hffffffff);
      13: status = accsim_clock_online(model, in[90%IN] ? ACCSIM_FIRST : 0, 64'((in >> 81) & 'h1ff), 64'((in >> 72) & 'h1ff), 0, 0,
                                       ACCSIM_DPI_BITS'(in) & 72'hff_ffffffff_ffffffff);
      14: status = accsim_clock_online(model, in[4] ? ACCSIM_FIRST : 0, 64'(in[3]), 64'(in[2]), 64'(in[1]), 64'(in[0]), '0);
      default: status = accsim_clock_control(model, (in[19%IN] ? ACCSIM_VALID : 0) | (in[18%IN] ? ACCSIM_LAST : 0) | (in[17%IN] ? 0 : ACCSIM_STALL), 1,
                                             ACCSIM_DPI_BITS'((in >> 1) & 'hffff), ACCSIM_DPI_BITS'(in & 1), '0);
    endcase
    if (status < 0) begin
      $display("%s", accsim_last_error(model));
      $finish;
    end
  endtask
`endif

  initial begin
    clk = 1'b0;
    if ($value$plusargs("unit=%d", unit) && unit == UNIT && $value$plusargs("bug=%d", bug) && bug == BUG) begin
      if (!$value$plusargs("vectors=%s", path) || !$value$plusargs("rows=%d", rows)) begin
        $display("no +vectors or +rows");
        $finish;
      end
      $readmemh(path, words, 0, rows - 1);
`ifdef DPI
      begin
        string options;
        status = $value$plusargs("options=%s", options);
        status = $value$plusargs("datapath=%s", datapath);
        model = accsim_create(ACCSIM_DPI_VERSION, datapath, options);
      end
      if (model == null) begin
        $display("no model: %s", accsim_last_error(null));
        $finish;
      end
`endif
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
            $display("cycle %0d: stage %0s: expected %0h, found %0h (file)", cycle, stage(out ^ words[cycle][OUT-1:0]), words[cycle][OUT-1:0], out);
          wrong = wrong + 1;
        end
`ifdef DPI
        check_model;
        clock_model;
`endif
        clk = 1'b1;
        #5 clk = 1'b0;
      end
`ifdef DPI
      for (int i = 0; i < accsim_error_count(model) && i < 3; i++) $display("%s", accsim_error_text(model, i));
      $display("lockstep: %0d mismatches", accsim_error_count(model));
      accsim_destroy(model);
`endif
      $display("unit %0d: %0d cycles, %0d wrong", UNIT, rows, wrong);
      $finish;
    end
  end
endmodule
