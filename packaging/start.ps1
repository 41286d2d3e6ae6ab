# Starts Sculptor on Windows: the twin of start.sh. The first start sets it up, every later one starts at once.
$ErrorActionPreference = "Stop"
$enough = "import sys; sys.exit(sys.version_info < (3, 11))"
$candidates = @()
if ($env:SCULPTOR_PYTHON) { $candidates += , @($env:SCULPTOR_PYTHON) }
$candidates += , @("py", "-3")
$candidates += , @("python")
$candidates += , @("python3")

$found = $null
foreach ($candidate in $candidates) {
    if (-not (Get-Command $candidate[0] -ErrorAction SilentlyContinue)) { continue }
    $rest = @($candidate | Select-Object -Skip 1)
    $ErrorActionPreference = "Continue"
    & $candidate[0] @rest -c $enough 2>$null | Out-Null
    $ErrorActionPreference = "Stop"
    if ($LASTEXITCODE -eq 0) { $found = $candidate; break }
}
if (-not $found) {
    [Console]::Error.WriteLine("Sculptor needs Python 3.11 or newer. Install it from https://www.python.org/downloads/ and try again.")
    exit 6
}
$rest = @($found | Select-Object -Skip 1)
$ErrorActionPreference = "Continue"
$ready = & $found[0] @rest -I (Join-Path $PSScriptRoot "prepare.py") start @args
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
& $ready -P -m sculptor_app @args
exit $LASTEXITCODE
