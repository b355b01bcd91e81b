package io.vxseal.lab;

import de.erichseifert.vectorgraphics2d.Document;
import de.erichseifert.vectorgraphics2d.VectorGraphics2D;
import de.erichseifert.vectorgraphics2d.svg.SVGProcessor;
import de.erichseifert.vectorgraphics2d.util.PageSize;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Shape;
import java.awt.Stroke;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.axis.LogarithmicAxis;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.SymbolAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.block.BlockBorder;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.RectangleAnchor;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.Range;
import org.jfree.data.general.DatasetUtils;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/** The charts of report.html, as SVG images in data URIs. Lines differ in marker or dash, so that colour is never the only difference. */
final class Charts {

    private static final int WIDTH = 480;
    private static final int HEIGHT = 300;
    private static final int ROW = 38;
    private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 11);
    private static final Color SOFT = new Color(0x52514e);
    private static final Color GRID = new Color(0xe4e3df);
    private static final Color PAPER = Color.WHITE;
    private static final Color PRODUCT = new Color(0x2a78d6);
    private static final Color OTHER = new Color(0xd9622b);
    private static final Color REFERENCE = new Color(0x6b6a66);
    private static final Stroke SOLID = new BasicStroke(2);
    private static final Stroke DASHED = new BasicStroke(2, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, new float[] {5, 4}, 0);
    private static final String NUMBER = "#,##0.####";
    private static final DecimalFormatSymbols SYMBOLS = DecimalFormatSymbols.getInstance(Locale.ROOT);
    private static final Map<String, Color> COLOURS =
            Map.of(Times.FLOOR, REFERENCE, Times.BATCHED, PRODUCT, "vxseal", PRODUCT, Times.NAIVE, OTHER, "overlay", OTHER);

    static {
        SYMBOLS.setGroupingSeparator(' ');
    }

    private Charts() {}

    /**
     * A line of a growth chart: cost by number of objects.
     *
     * @param style a mode of {@link Times}, whose colour and marker it has
     * @param dashed whether the line is dashed and its marks are hollow
     */
    record Line(String name, String style, boolean dashed, Map<Integer, Double> costs) {}

    /** A row of a strip chart. Two values are a median and a 99th percentile; more are measurements. */
    record Row(String name, String style, List<Double> values) {}

    /** Returns a chart with logarithmic axes of cost by number of objects. */
    static String growth(String unit, String object, List<Line> lines) {
        var data = new XYSeriesCollection();
        var renderer = new XYLineAndShapeRenderer();
        renderer.setUseFillPaint(true);
        renderer.setDrawOutlines(true);
        for (Line line : lines) {
            int index = data.getSeriesCount();
            var series = new XYSeries(line.name);
            line.costs.forEach(series::add);
            data.addSeries(series);
            renderer.setSeriesPaint(index, COLOURS.get(line.style));
            renderer.setSeriesOutlinePaint(index, COLOURS.get(line.style));
            renderer.setSeriesFillPaint(index, line.dashed ? PAPER : COLOURS.get(line.style));
            renderer.setSeriesStroke(index, line.dashed ? DASHED : SOLID);
            renderer.setSeriesShape(index, marker(line.style));
        }
        var across = logarithmic(object);
        Range objects = DatasetUtils.findDomainBounds(data);
        across.setRange(objects.getLowerBound() * 0.8, objects.getUpperBound() * 1.3);
        var up = logarithmic(unit);
        Range costs = DatasetUtils.findRangeBounds(data);
        up.setRange(Math.pow(10, Math.floor(Math.log10(costs.getLowerBound()))), Math.pow(10, Math.ceil(Math.log10(costs.getUpperBound()))));
        return image(new XYPlot(data, across, up, renderer), HEIGHT, true);
    }

    /**
     * Returns a chart with a row of dots for each set of values and a bar at its median.
     *
     * @param limit a line to draw, 0 for none
     */
    @SuppressWarnings("deprecation") // setItemLabelAnchorOffset has no successor in this version
    static String strip(double limit, List<Row> rows) {
        var data = new XYSeriesCollection();
        var dots = new XYLineAndShapeRenderer(false, true);
        dots.setDefaultItemLabelFont(FONT);
        dots.setDefaultItemLabelPaint(SOFT);
        dots.setItemLabelAnchorOffset(5);
        dots.setDefaultItemLabelGenerator((set, series, item) -> Page.number(set.getXValue(series, item)));
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            boolean measurements = row.values.size() > 2;
            int height = rows.size() - 1 - i;
            Color colour = COLOURS.get(row.style);
            add(data, dots, row.values, height, measurements ? translucent(colour) : colour, new Ellipse2D.Double(-4, -4, 8, 8));
            dots.setSeriesItemLabelsVisible(data.getSeriesCount() - 1, !measurements);
            if (!row.values.isEmpty()) {
                double median = measurements ? Times.median(row.values) : row.values.getFirst();
                add(data, dots, List.of(median), height, colour, new Rectangle2D.Double(-1, -9, 2, 18));
                dots.setSeriesItemLabelsVisible(data.getSeriesCount() - 1, measurements);
            }
        }
        var across = new NumberAxis();
        style(across);
        across.setNumberFormatOverride(new DecimalFormat(NUMBER, SYMBOLS));
        across.setRange(0, Math.max(limit, DatasetUtils.findDomainBounds(data).getUpperBound()) * 1.1);
        var names = new SymbolAxis(null, rows.reversed().stream().map(Row::name).toArray(String[]::new));
        style(names);
        names.setGridBandsVisible(false);
        names.setRange(-0.5, rows.size() - 0.3);
        var plot = new XYPlot(data, across, names, dots);
        if (limit > 0) {
            var target = new ValueMarker(limit, REFERENCE, DASHED);
            target.setLabel("target " + Page.number(limit));
            target.setLabelFont(FONT);
            target.setLabelBackgroundColor(PAPER);
            target.setLabelAnchor(RectangleAnchor.BOTTOM_RIGHT);
            target.setLabelTextAnchor(TextAnchor.BOTTOM_LEFT);
            plot.addDomainMarker(target);
        }
        return image(plot, ROW * rows.size() + 40, false);
    }

    private static void add(XYSeriesCollection data, XYLineAndShapeRenderer renderer, List<Double> values, int height, Color colour,
            Shape shape) {
        var series = new XYSeries(data.getSeriesCount());
        values.forEach(value -> series.add((double) value, height));
        data.addSeries(series);
        renderer.setSeriesPaint(data.getSeriesCount() - 1, colour);
        renderer.setSeriesShape(data.getSeriesCount() - 1, shape);
    }

    private static Color translucent(Color colour) {
        return new Color(colour.getRed(), colour.getGreen(), colour.getBlue(), 115);
    }

    private static Shape marker(String style) {
        return switch (style) {
            case Times.FLOOR -> new Ellipse2D.Double(-4, -4, 8, 8);
            case Times.BATCHED -> new Rectangle2D.Double(-4, -4, 8, 8);
            default -> {
                var triangle = new Path2D.Double();
                triangle.moveTo(0, -5);
                triangle.lineTo(5, 4);
                triangle.lineTo(-5, 4);
                triangle.closePath();
                yield triangle;
            }
        };
    }

    /** Returns a logarithmic axis, of the one of JFreeChart's two kinds that writes its labels as text and not as outlines. */
    private static LogarithmicAxis logarithmic(String label) {
        var axis = new LogarithmicAxis(label);
        style(axis);
        axis.setNumberFormatOverride(new DecimalFormat(NUMBER, SYMBOLS));
        return axis;
    }

    private static void style(ValueAxis axis) {
        axis.setLabelFont(FONT);
        axis.setLabelPaint(SOFT);
        axis.setTickLabelFont(FONT);
        axis.setTickLabelPaint(SOFT);
        axis.setAxisLinePaint(SOFT);
        axis.setMinorTickMarksVisible(false);
    }

    private static String image(XYPlot plot, int height, boolean legend) {
        plot.setBackgroundPaint(PAPER);
        plot.setOutlineVisible(false);
        plot.setDomainGridlinePaint(GRID);
        plot.setRangeGridlinePaint(GRID);
        var chart = new JFreeChart(null, FONT, plot, legend);
        chart.setBackgroundPaint(PAPER);
        if (legend) {
            chart.getLegend().setItemFont(FONT);
            chart.getLegend().setItemPaint(SOFT);
            chart.getLegend().setFrame(BlockBorder.NONE);
        }
        var graphics = new VectorGraphics2D();
        chart.draw(graphics, new Rectangle2D.Double(0, 0, WIDTH, height));
        Document svg = new SVGProcessor().getDocument(graphics.getCommands(), new PageSize(WIDTH, height));
        var bytes = new ByteArrayOutputStream();
        try {
            svg.writeTo(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return "data:image/svg+xml;base64," + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
