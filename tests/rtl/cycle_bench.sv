// A unit against a file of cycles: each word holds the inputs of a cycle and the outputs that stand before its edge. Where DPI is defined, in
// lockstep with libaccsim_dpi as well, or with that alone on random vectors. Runs where +unit and +bug name it; +vectors=FILE +rows=N or
// +random=VECTORS, for DPI +datapath= +options=.
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
`endif
  localparam MOST = 32768;
  logic             clk, rst;
  logic [IN-1:0]    in, next;
  wire  [OUT-1:0]   out;
  logic [IN+OUT-1:0] words [0:MOST-1];
  reg   [8*256-1:0] path;
  integer           unit, bug, rows, cycle, wrong;
  integer           random, vectors, at, length, kind;  // of random vectors: asked for, so far; of the one at hand

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
    int status;
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
    int status;
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
    lockstep::require(model, status);
  endtask

  // Random inputs of a cycle. Digits of online units: 8 of a vector, then zeros until the next one begins, as early as its sum allows or,
  // now and then, in the middle of it. Kind 0: extreme operands, all digits of one sign; 1: no digit zero.
  task automatic draw(output logic [IN-1:0] drawn);
    logic [159:0] noise;
    logic [71:0]  y;
    logic [8:0]   x_plus, x_minus;
    logic [4:0]   exponent;
    int           terms;
    noise = {$urandom, $urandom, $urandom, $urandom, $urandom};
    if (at == length) begin
      at = 0;
      if (UNIT != 12 && UNIT != 15) vectors = vectors + 1;
      kind = int'(noise[2:0]);
      case (UNIT)
        10: length = 12;
        13: length = 20;
        12: length = 11 + kind + int'(noise[12:8]);
        15: length = 1 + int'(noise[12:8]);
        default: length = kind == 2 ? 1 + int'(noise[11:8]) : (UNIT == 11) ? 18 : 19;
      endcase
    end
    x_plus = at >= 8 ? 9'd0 : kind == 0 ? {9{vectors[0]}} : noise[8:0];
    x_minus = at >= 8 ? 9'd0 : kind == 0 ? {9{!vectors[0]}} : kind == 1 ? ~noise[8:0] : noise[17:9];
    y = kind == 0 ? {9{noise[18] ? 8'h80 : 8'h7f}} : noise[90:19];
    case (UNIT)
      10: drawn = IN'({x_plus, x_minus});
      11: drawn = IN'({at == 0, x_plus[0], x_minus[0], y[7:0]});
      13: drawn = IN'({at == 0, x_plus, x_minus, y});
      14: drawn = IN'({at == 0, x_plus[0], x_minus[0], (kind == 0) ? {noise[18], !noise[18]} : noise[20:19]});
      12: begin  // a tile of operands, then its sums leave, which takes 10 cycles, and a pause
        terms = length - 10 - kind;
        drawn = IN'({at < terms, at == 0, at == terms - 1, (kind == 0) ? {noise[32] ? 32'h80808080 : 32'h7f7f7f7f, noise[95:64]} : noise[95:32]});
        if (at < terms) vectors = vectors + 1;
      end
      default: begin  // numbers of any size, or near one another, or at the lower end
        exponent = kind[0] ? {2'd1, noise[34:32]} + 5'd4 : (kind == 2) ? {4'd0, noise[32]} : noise[36:32];
        drawn = IN'({noise[1:0] != 0, at == length - 1, noise[3:2] != 0, noise[31], exponent, noise[30:21], noise[7:4] != 0});
        if (noise[1:0] == 0) at = at - 1;
      end
    endcase
    at = at + 1;
  endtask
`endif

  // What stands before the edge, the model's own edge, the inputs of the next cycle.
  always @(posedge clk) begin
    if (cycle >= 0) begin
      if (random == 0 && out !== words[cycle][OUT-1:0]) begin
        if (wrong < 3)
          $display("cycle %0d: stage %0s: expected %0h, found %0h (file)", cycle, stage(out ^ words[cycle][OUT-1:0]), words[cycle][OUT-1:0], out);
        wrong = wrong + 1;
      end
`ifdef DPI
      check_model;
      clock_model;
      if (UNIT == 15 && random != 0 && in[19%IN] && out[OUT-1]) vectors = vectors + 1;
`endif
    end
    cycle = cycle + 1;
    rst <= cycle < 0;
    next = (cycle >= 0 && cycle < rows) ? words[cycle][IN+OUT-1:OUT] : '0;
`ifdef DPI
    if (cycle >= 0 && random != 0) draw(next);
`endif
    in <= next;
  end

  initial begin
    clk = 1'b0;
    if ($value$plusargs("unit=%d", unit) && unit == UNIT && $value$plusargs("bug=%d", bug) && bug == BUG) begin
      rows = 0;
      if (!$value$plusargs("random=%d", random)) begin
        random = 0;
        if (!$value$plusargs("vectors=%s", path) || !$value$plusargs("rows=%d", rows)) begin
          $display("no +vectors or +rows, no +random");
          $finish;
        end
        $readmemh(path, words, 0, rows - 1);
      end
`ifdef DPI
      model = lockstep::made_model();
`endif
      wrong = 0;
      vectors = 0;
      at = 0;
      length = 0;
      cycle = -3;
      while ((random != 0 ? vectors <= random : cycle < rows) && wrong < 1000) begin
        #5 clk = 1'b1;
        #5 clk = 1'b0;
      end
`ifdef DPI
      lockstep::tell_mismatches(model);
`endif
      $display("unit %0d: %0d cycles, %0d vectors, %0d wrong", UNIT, cycle, vectors, wrong);
      $finish;
    end
  end
endmodule
