"""What all dashboards share: a board with its variables, links and annotations, and the panels that stand on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import heatmap as hm
from grafana_foundation_sdk.models import prometheus as pm
from grafana_foundation_sdk.models.text import TextMode
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
Panel: TypeAlias = Builder[dm.Panel]
Steps: TypeAlias = "tuple[tuple[float | None, str], ...]"
"""Thresholds: from which value on (None: from below) which colour holds."""

SOURCE: Final = dm.DataSourceRef("prometheus", "${datasource}")
DEFAULT_SOURCE: Final = "flyball-prometheus"
"""The uid of the datasource that provisioning makes."""
TAG: Final = "flyball"
CONSOLE: Final = "http://localhost:8088/console/"
"""As docker-compose.yml has it."""
FAILED_RUNS: Final = "runs?outcome=failure&workflow=${workflow:percentencode}"
"""The view of the console that has the failed runs of the workflow that is picked."""
RANGE: Final = "$__range"
RATE: Final = "$__rate_interval"
GREEN, YELLOW, ORANGE, RED, GREY = "green", "yellow", "orange", "red", "#808080"
PLAIN: Final[Steps] = ((None, GREY),)
BUDGET: Final[Steps] = ((None, RED), (0.0001, ORANGE), (0.25, YELLOW), (0.5, GREEN))
"""Of what is left of an error budget: 0 is spent."""
BURN: Final[Steps] = ((None, GREEN), (1, YELLOW), (3, ORANGE), (6, RED))
"""Of burn rates: at 1 the budget lasts just its period."""
RATIO: Final[Steps] = ((None, RED), (0.8, ORANGE), (0.9, YELLOW), (0.95, GREEN))
ANY_IS_BAD: Final[Steps] = ((None, GREEN), (1, RED))
ANY_IS_NEWS: Final[Steps] = ((None, GREEN), (1, ORANGE))
_GAP_MS: Final = 300_000
"""Longer silences are shown as gaps."""


def query(expr: str, legend: str = "", *, now: bool = False, ref: str = "A") -> prometheus.Dataquery:
    """Make a query; `now`: only the newest value, as rows of a table."""
    made = prometheus.Dataquery().expr(expr).ref_id(ref).datasource(SOURCE).legend_format(legend or "__auto")
    return made.instant().format(pm.PromQueryFormat.TABLE) if now else made.range()


def number(title: str, expr: str, unit: str, about: str, steps: Steps = PLAIN, decimals: int | None = None) -> Panel:
    """Show one number, with its course behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(_thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(cm.BigValueGraphMode.AREA)
        .color_mode(cm.BigValueColorMode.VALUE)
        .no_value("-")
        .with_target(query(expr))
    )
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str,
    queries: Sequence[tuple[str, str]],
    unit: str,
    about: str,
    *,
    steps: Steps | None = None,
    stacked: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> timeseries.Panel:
    """Show series over time from (expression, legend); `steps` are drawn as lines."""
    legend = common.VizLegendOptions().display_mode(cm.LegendDisplayMode.TABLE).placement(cm.LegendPlacement.BOTTOM)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .line_width(2)
        .fill_opacity(30 if stacked else 8)
        .show_points(cm.VisibilityMode.NEVER)
        .span_nulls(_GAP_MS)
        .legend(legend.show_legend(True).calcs(["lastNotNull", "max"]).sort_by("Last *").sort_desc(True))
        .tooltip(common.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI).sort(cm.SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(cm.StackingMode.NORMAL))
    if low is not None:
        panel.min(low)
    if high is not None:
        panel.max(high)
    if steps:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(cm.GraphThresholdsStyleMode.DASHED))
    for ref, (expr, name) in zip("ABCDEFGHIJ", queries, strict=False):
        panel.with_target(query(expr, name, ref=ref))
    return panel


def idle(words: str, panel: timeseries.Panel) -> Panel:
    """Say what it means that a panel has no series, where that is no fault: "No data" looks like one."""
    return panel.no_value(words)


def heat(title: str, expr: str, unit: str, about: str) -> Panel:
    """Show how values spread over time, from cumulative counts by `le`."""
    counts = query(expr, "{{le}}").format(pm.PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .calculate(calculate=False)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(heatmap.HeatmapColorOptions().mode(hm.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64).exponent(0.5))
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .with_target(counts)
    )


def grid(title: str, queries: Sequence[prometheus.Dataquery], about: str, sort: str, *, falling: bool) -> table.Panel:
    """Begin a table that is sorted by a column; `columns` says which ones it has."""
    panel = table.Panel().title(title).description(about).datasource(SOURCE).cell_height(cm.TableCellHeight.SM)
    for each in queries:
        panel.with_target(each)
    return panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(falling)])


def columns(panel: table.Panel, key: str, names: dict[str, str]) -> table.Panel:
    """Join the queries of a table by a label, and keep these columns: by the name they come with, in this order."""
    # Grafana numbers a trend by its query only where there are several
    names = names | {name.split(" #")[0]: said for name, said in names.items() if name.startswith("Trend #")}
    keep = {"include": {"names": list(names)}}
    order = {"indexByName": {name: at for at, name in enumerate(names)}, "renameByName": names, "excludeByName": {}}
    for what, options in (
        ("timeSeriesTable", {}),
        ("joinByField", {"byField": key, "mode": "outer"}),
        ("filterFieldsByName", keep),
        ("organize", order),
    ):
        panel.with_transformation(dm.DataTransformerConfig(what, options=options))
    return panel


def column(
    panel: table.Panel, name: str, unit: str, steps: Steps = PLAIN, cell: cm.TableCellOptions | None = None
) -> None:
    """Say how a column looks."""
    said = [dm.DynamicConfigValue("unit", unit), dm.DynamicConfigValue("thresholds", _thresholds(steps).build())]
    if cell is not None:
        said.append(dm.DynamicConfigValue("custom.cellOptions", cell))
    panel.override_by_name(name, said)


def link_column(panel: table.Panel, name: str, title: str, url: str) -> None:
    """Make the cells of a column lead somewhere."""
    panel.override_by_name(name, [dm.DynamicConfigValue("links", [{"title": title, "url": url}])])


def words(content: str, title: str = "") -> Panel:
    """Show Markdown."""
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(content).transparent(not title)


def to(uid: str, **variables: str) -> str:
    """Give the address of a dashboard, in the same Grafana, for the same time and datasource."""
    said = "&".join(f"var-{name}={value}" for name, value in variables.items())
    return f"/d/{uid}?var-datasource=${{datasource}}&${{__url_time_range}}{'&' + said if said else ''}"


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(dm.ThresholdsMode.ABSOLUTE)
        .steps([dm.Threshold(value, colour) for value, colour in steps])
    )


class Board:
    """One dashboard under construction. Panels are numbered as they come."""

    def __init__(self, uid: str, title: str, about: str, *, since: str = "now-6h", console: str | None = None) -> None:
        """`console`: the view of the control plane's console that it links to."""
        self.uid, self.title = uid, title
        self._panels = 0
        self._made = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(about)
            .tags([TAG])
            .timezone("browser")
            .readonly()
            .refresh("30s")
            .time(since, "now")
            .tooltip(dm.DashboardCursorSync.CROSSHAIR)
            .variables(
                [
                    dashboard.DatasourceVariable("datasource")
                    .label("Prometheus")
                    .type("prometheus")
                    .current(dm.VariableOption(text="Flyball", value=DEFAULT_SOURCE))
                ]
            )
            .link(_others())
        )
        if console is not None:
            self._made.with_variable(_console()).link(_to_console(console))
        self.note("Deployments", "blue", tags=["deployment"])
        self.note(
            "Alerts", "red", expr='ALERTS{alertname=~"Flyball.+",alertstate="firing"}', says="{{alertname}} {{slo}}"
        )

    def pick(self, name: str, label: str, values: str, *, all_of_them: bool = True, about: str = "") -> Board:
        """Add a variable that takes the values of `label_values(...)`."""
        made = dashboard.QueryVariable(name).label(label).query(values).datasource(SOURCE).description(about)
        made.refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dm.VariableSort.ALPHABETICAL_ASC)
        if all_of_them:
            made.multi(True).include_all(True).all_value(".*")
            made.current(dm.VariableOption(text="All", value="$__all"))
        self._made.with_variable(made)
        return self

    def note(
        self, name: str, colour: str, *, expr: str | None = None, says: str = "", tags: list[str] | None = None
    ) -> Board:
        """Add annotations: from Prometheus where `expr` has a series, else those of Grafana's own with these tags."""
        if expr is not None:
            made: dm.AnnotationQuery = _PrometheusNote(name, colour, expr, says)
        else:
            target = dm.AnnotationTarget(limit=100, match_any=True, tags=tags, type_val="tags")
            made = dm.AnnotationQuery(
                name, dm.DataSourceRef("grafana", "-- Grafana --"), icon_color=colour, target=target
            )
        self._made.annotation(_Built(made))
        return self

    def row(self, title: str, *panels: Panel, width: int = 8, height: int = 8) -> Board:
        """Add a row of panels of one size, `width` of 24; what does not fit into one line goes to the next."""
        self._made.with_row(dashboard.Row(title).id(self._number()))
        for panel in panels:
            made = panel.build()
            made.id_val, made.grid_pos = self._number(), dm.GridPos(height, width, 0, 0)
            self._made.with_panel(_Built(made))
        return self

    def to_json(self) -> str:
        """Write it as it is committed."""
        return json.dumps(self._made.build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def _number(self) -> int:
        self._panels += 1
        return self._panels


class _Built(Builder[T]):
    """What is built already."""

    def __init__(self, made: T) -> None:
        self._made = made

    @override
    def build(self) -> T:
        return self._made


class _PrometheusNote(dm.AnnotationQuery):
    """Annotations from Prometheus, with the members that the SDK leaves out."""

    def __init__(self, name: str, colour: str, expr: str, says: str) -> None:
        super().__init__(name, SOURCE, icon_color=colour, expr=expr)
        self._says = says

    @override
    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self.name, "textFormat": self._says, "step": "30s"}


def _console() -> dashboard.TextBoxVariable:
    """Ask where the console is: Grafana cannot know under which name people reach it."""
    return dashboard.TextBoxVariable("console").label("Console").default_value(CONSOLE)


def _to_console(view: str) -> dashboard.DashboardLink:
    """Link to a view of the console, for what no dashboard names: runs, users and tenants."""
    made = dashboard.DashboardLink("Console").type(dm.DashboardLinkType.LINK).url("${console}#/" + view)
    return made.icon("external link").target_blank(True).tooltip("Who it is about, and the brakes")


def _others() -> dashboard.DashboardLink:
    """Link to the other dashboards, for the same time."""
    made = dashboard.DashboardLink("Flyball").type(dm.DashboardLinkType.DASHBOARDS).tags([TAG])
    return made.keep_time(True).include_vars(True).tooltip("The other dashboards, for the same time")
