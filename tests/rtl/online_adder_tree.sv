// A tree of registered radix-2 online adders (online delay 2) over N digit streams, neighbours added level by level; an odd stream passes
// through three registers a level. A digit is plus - minus. Reset is digit zero everywhere.
// BUG: 1 the adders' carries h are dropped, 2 an odd stream waits a register less, 3 y- is not delayed.
module online_adder #(
    parameter BUG = 0
) (
    input  logic clk, rst, x_plus, x_minus, y_plus, y_minus,
    output logic z_plus, z_minus
);
  // Full adders: 2h - g = x+ - x- + y+ of this clock; -2t + w = h - g - y- with the g and y- of the clock before. z = (w before, t).
  logic h, g, t, w, g_before, y_before, w_before;
  logic [1:0] first, second;
  assign first = {1'b0, x_plus} + {1'b0, !x_minus} + {1'b0, y_plus};
  assign h = first[1] & (BUG != 1);
  assign g = !first[0];
  assign second = {1'b0, h} + {1'b0, !g_before} + {1'b0, !((BUG == 3) ? y_minus : y_before)};
  assign t = !second[1];
  assign w = second[0];
  always @(posedge clk) begin
    g_before <= g & !rst;
    y_before <= y_minus & !rst;
    w_before <= w & !rst;
    z_plus <= w_before & !rst;
    z_minus <= t & !rst;
  end
endmodule

module online_adder_tree #(
    parameter N = 9,
    parameter BUG = 0
) (
    input  logic         clk, rst,
    input  logic [N-1:0] x_plus, x_minus,
    output logic         z_plus, z_minus
);
  localparam LEVELS = $clog2(N);
  wire [(LEVELS+1)*N-1:0] plus, minus;  // level l's streams from l * N on
  assign plus[N-1:0] = x_plus;
  assign minus[N-1:0] = x_minus;
  genvar l, i;
  generate
    for (l = 0; l < LEVELS; l = l + 1) begin : level
      for (i = 0; i < N; i = i + 1) begin : stream
        if (2 * i + 1 < ((N + (1 << l) - 1) >> l)) begin : adder
          online_adder #(.BUG(BUG)) add (.clk, .rst,
              .x_plus(plus[l*N+2*i]), .x_minus(minus[l*N+2*i]), .y_plus(plus[l*N+2*i+1]), .y_minus(minus[l*N+2*i+1]),
              .z_plus(plus[(l+1)*N+i]), .z_minus(minus[(l+1)*N+i]));
        end else if (2 * i + 1 == ((N + (1 << l) - 1) >> l)) begin : odd
          logic [2:0] wait_plus, wait_minus;
          always @(posedge clk) begin
            wait_plus <= rst ? 3'd0 : {wait_plus[1:0], plus[l*N+2*i]};
            wait_minus <= rst ? 3'd0 : {wait_minus[1:0], minus[l*N+2*i]};
          end
          assign plus[(l+1)*N+i] = wait_plus[(BUG == 2) ? 1 : 2];
          assign minus[(l+1)*N+i] = wait_minus[(BUG == 2) ? 1 : 2];
        end else begin : none
          assign plus[(l+1)*N+i] = 1'b0;
          assign minus[(l+1)*N+i] = 1'b0;
        end
      end
    end
  endgenerate
  assign z_plus = plus[LEVELS*N];
  assign z_minus = minus[LEVELS*N];
endmodule
