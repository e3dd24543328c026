"""Pictures: reading files, finding them in folders, rendering samples."""
