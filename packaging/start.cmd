@echo off
rem Starts Sculptor on Windows; double-click it, or give it what sculptor-app understands.
powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0start.ps1" %*
if errorlevel 1 if "%~1"=="" pause
